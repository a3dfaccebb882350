// The terminal's socket: bytes both ways, acknowledgements of what was shown, and the way back after a lost connection.
const ACK_EVERY_BYTES = 32 * 1024;
const ACK_EVERY_MS = 100;
const MIN_WAIT_MS = 500;
const MAX_WAIT_MS = 10_000;
const PIECE_BYTES = 32 * 1024;
const FINAL = {
  1000: "The shell has ended.",
  4400: "The terminal was closed: the server did not understand this page. Reload it.",
  4401: "You are signed out.",
  4403: "You may not open a terminal here.",
  4409: "This terminal was opened in another tab.",
  4410: "The terminal was closed: nothing had happened in it for a long time.",
  4413: "The terminal was closed: too much was typed ahead.",
  4429: "The terminal could not be opened.",
};
const ENDED_BY = { memory: "it used too much memory", processes: "it started too many processes", disk: "it filled the disk", timeout: "it was open for too long" };

export class TerminalLink {
  #workspaceId;
  #host;
  #socket = null;
  #session = null;
  #shown = 0;
  #acked = 0;
  #ackTimer = 0;
  #retryTimer = 0;
  #wait = MIN_WAIT_MS;
  #reason = "";
  #isOver = false;

  constructor(workspaceId, host) {
    this.#workspaceId = workspaceId;
    this.#host = host;
    this.#session = sessionStorage.getItem(this.#key);
  }

  get #key() {
    return `pa-terminal-${this.#workspaceId}`;
  }

  open() {
    this.#host.onState(this.#shown ? "lost" : "connecting");
    const { rows, cols } = this.#host.size();
    const query = new URLSearchParams({ rows, cols });
    if (this.#session) {
      query.set("session", this.#session);
      query.set("after", this.#shown);
    }
    const url = new URL(`/ws/workspaces/${this.#workspaceId}/terminal?${query}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#hear(JSON.parse(data)) : this.#show(new Uint8Array(data)));
    socket.onclose = ({ code }) => this.#socket === socket && this.#closed(code);
    this.#socket = socket;
  }

  /** Leave the terminal; what runs in it gets a minute until somebody comes back. */
  leave() {
    this.#isOver = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#ackTimer);
    this.#socket?.close();
  }

  type(bytes) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) this.#socket.send(bytes.subarray(start, start + PIECE_BYTES));
  }

  resize(rows, cols) {
    this.#tell({ type: "resize", rows, cols });
  }

  #tell(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #hear(message) {
    switch (message.type) {
      case "ready":
        if (message.offset !== this.#shown) this.#host.onReset();
        this.#shown = this.#acked = message.offset;
        this.#session = message.session;
        sessionStorage.setItem(this.#key, message.session);
        this.#wait = MIN_WAIT_MS;
        this.#host.onState("open");
        break;
      case "refused":
        this.#reason = message.message;
        break;
      case "ended":
        this.#reason = ENDED_BY[message.ended_by] ? `The shell was ended: ${ENDED_BY[message.ended_by]}.` : "";
        break;
    }
  }

  #show(bytes) {
    const { length } = bytes;
    this.#host.onBytes(bytes, () => {
      this.#shown += length;
      if (this.#shown - this.#acked >= ACK_EVERY_BYTES) this.#acknowledge();
      else this.#ackTimer ||= setTimeout(() => this.#acknowledge(), ACK_EVERY_MS);
    });
  }

  #acknowledge() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = 0;
    this.#acked = this.#shown;
    this.#tell({ type: "ack", bytes: this.#shown });
  }

  #closed(code) {
    this.#socket = null;
    clearTimeout(this.#ackTimer);
    this.#ackTimer = 0;
    if (this.#isOver) return;
    if (FINAL[code]) {
      this.#isOver = true;
      sessionStorage.removeItem(this.#key);
      this.#host.onState("over", this.#reason || FINAL[code]);
      return;
    }
    this.#host.onState("lost");
    this.#retryTimer = setTimeout(() => this.open(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, MAX_WAIT_MS);
  }
}
