// The workspace socket of this tab: news, commands, tokens and presence. Connects by itself on every page of a workspace,
// comes back after a lost connection, and catches up from where it stood; what can no longer be told one by one is a resync.
const MIN_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;
const HANDSHAKE_MS = 10_000;
const COMMAND_MS = 20_000;
const ACK_EVERY_MS = 800;
const ACK_EVERY_FRAMES = 50;
const IDLE_AFTER_MS = 5 * 60_000;
// A network that vanished closes nothing: a silent connection is asked, and given up when it does not answer.
const ASK_AFTER_MS = 30_000;
const ANSWER_MS = 8_000;
const CLOSED_FOR_GOOD = { 4401: "signed-out", 4403: "not-allowed" };

/** An error that the server answered, or `offline` when there was nobody to answer. */
export class CommandError extends Error {
  constructor({ code, message, retryable = false, facts = {} }) {
    super(message);
    Object.assign(this, { code, retryable, facts });
  }
}

function readPosition(text) {
  const at = (text ?? "").lastIndexOf(":");
  return at > 0 ? { epoch: text.slice(0, at), seq: Number(text.slice(at + 1)) } : { epoch: null, seq: 0 };
}

class Events {
  #workspaceId = document.body?.dataset.workspaceId;
  #socket = null;
  #listeners = new Map();
  #resyncListeners = new Set();
  #stateListeners = new Set();
  #commands = new Map();
  #nextCommand = 1;
  #watched = new Map();
  #positions = { workspace: readPosition(document.body?.dataset.position), person: readPosition(document.body?.dataset.personPosition) };
  #frames = 0;
  #ackedFrames = 0;
  #ackedAt = 0;
  #ackTimer = null;
  #wait = MIN_WAIT_MS;
  #retryTimer = null;
  #askTimer = null;
  #signedOutTries = 0;
  #presence = { state: "active", place: "" };
  people = new Map();
  state = "connecting";

  constructor() {
    if (!this.#workspaceId) return;
    this.#connect();
    window.addEventListener("online", () => this.#reconnectNow());
    window.addEventListener("offline", () => this.#giveUp());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#reconnectNow());
    this.#watchActivity();
  }

  /** Call `fn(data, event)` for each event of this type ("*" for all); returns a function that stops it. */
  on(type, fn) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(fn);
    return () => this.#listeners.get(type).delete(fn);
  }

  /** Call `fn()` when the page must load its state afresh by HTTP; returns a function that stops it. */
  onResync(fn) {
    this.#resyncListeners.add(fn);
    return () => this.#resyncListeners.delete(fn);
  }

  /** Call `fn(state)` now and whenever the connection changes: connecting, online, offline, signed-out, not-allowed. */
  onState(fn) {
    this.#stateListeners.add(fn);
    fn(this.state);
    return () => this.#stateListeners.delete(fn);
  }

  /** Ask the server for something; resolves with its data, rejects with a CommandError (`offline` when not connected). */
  command(name, args = {}) {
    if (this.state !== "online") return Promise.reject(new CommandError({ code: "offline", message: "There is no connection.", retryable: true }));
    const id = this.#nextCommand++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#commands.delete(id);
        reject(new CommandError({ code: "timeout", message: "The server did not answer.", retryable: true }));
      }, COMMAND_MS);
      this.#commands.set(id, { resolve, reject, timer });
      this.#send({ type: "command", id, name, args });
    });
  }

  /** Call `fn({run_id, step_id, text, id})` for each piece of text of a run's models; returns a function that stops it. */
  watchRun(runId, fn, after = null) {
    const entry = this.#watched.get(runId) ?? { after, listeners: new Set() };
    const isNew = entry.listeners.size === 0;
    entry.listeners.add(fn);
    this.#watched.set(runId, entry);
    if (isNew && this.state === "online") this.#send({ type: "watch", run_id: runId, after: entry.after });
    return () => {
      entry.listeners.delete(fn);
      if (entry.listeners.size || this.#watched.get(runId) !== entry) return;
      this.#watched.delete(runId);
      if (this.state === "online") this.#send({ type: "unwatch", run_id: runId });
    };
  }

  /** Say what this tab shows, for others to see. */
  setPlace(place) {
    this.#setPresence({ ...this.#presence, place });
  }

  // --- the connection -----------------------------------------------------------------------------------------------

  #connect() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/workspaces/${this.#workspaceId}/events`);
    this.#socket = socket;
    this.#frames = this.#ackedFrames = 0;
    const watchdog = setTimeout(() => socket.close(), HANDSHAKE_MS);
    socket.onopen = () => {
      const { workspace, person } = this.#positions;
      this.#send({ type: "hello", epoch: workspace.epoch, seq: workspace.seq, person, topics: [] });
    };
    socket.onmessage = ({ data }) => {
      clearTimeout(watchdog);
      this.#askLater();
      this.#frames += 1;
      this.#receive(JSON.parse(data));
      this.#acknowledge();
    };
    socket.onclose = ({ code }) => {
      clearTimeout(watchdog);
      if (this.#socket === socket) this.#lost(code);
    };
  }

  #askLater() {
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => this.#ask(), ASK_AFTER_MS);
  }

  #ask() {
    this.#send({ type: "ping" });
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => this.#giveUp(), ANSWER_MS);
  }

  #giveUp() {
    const socket = this.#socket;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.#lost(1006);
  }

  #lost(code) {
    this.#socket = null;
    clearTimeout(this.#askTimer);
    clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    for (const { reject, timer } of this.#commands.values()) {
      clearTimeout(timer);
      reject(new CommandError({ code: "offline", message: "The connection was lost.", retryable: true }));
    }
    this.#commands.clear();
    // A password change gives this browser a new session and ends the old one: one more try tells.
    if (code === 4401 && this.#signedOutTries++ < 1) code = 1006;
    this.#setState(CLOSED_FOR_GOOD[code] ?? "offline");
    if (CLOSED_FOR_GOOD[code]) return;
    this.#retryTimer = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
    this.#wait = Math.min(this.#wait * 2, MAX_WAIT_MS);
  }

  #reconnectNow() {
    if (this.#socket) {
      if (this.state === "online") this.#ask();
    } else if (this.#retryTimer) {
      this.#wait = MIN_WAIT_MS;
      this.#connect();
    }
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  // Read frames are acknowledged within a second; at once in a hidden tab, whose timers sleep for up to a minute.
  #acknowledge() {
    const isDue = this.#frames - this.#ackedFrames >= ACK_EVERY_FRAMES || Date.now() - this.#ackedAt >= ACK_EVERY_MS || document.hidden;
    if (isDue) this.#sendAck();
    else this.#ackTimer ??= setTimeout(() => this.#sendAck(), ACK_EVERY_MS);
  }

  #sendAck() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    if (this.#ackedFrames === this.#frames) return;
    this.#ackedFrames = this.#frames;
    this.#ackedAt = Date.now();
    this.#send({ type: "ack", seq: this.#positions.workspace.seq, frames: this.#frames });
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    for (const fn of this.#stateListeners) fn(state);
  }

  // --- frames of the server -----------------------------------------------------------------------------------------

  #receive(message) {
    switch (message.type) {
      case "welcome": return this.#welcome(message);
      case "event": return this.#event(message);
      case "resync": return this.#resync(message);
      case "reply": return this.#reply(message);
      case "tokens": return this.#tokens(message);
      case "presence": return this.#people(message);
    }
  }

  #welcome({ epoch, seq, person }) {
    const knewNothing = !this.#positions.workspace.epoch;
    if (knewNothing) this.#positions.workspace = { epoch, seq };
    if (!this.#positions.person.epoch) this.#positions.person = person;
    this.#wait = MIN_WAIT_MS;
    this.#signedOutTries = 0;
    this.#setState("online");
    this.#send({ type: "presence", ...this.#presence });
    for (const [runId, { after }] of this.#watched) this.#send({ type: "watch", run_id: runId, after });
    // The page was made while Redis was away: nobody knows what it missed.
    if (knewNothing) this.#tellResync(0);
  }

  #event({ group, seq, event }) {
    const position = this.#positions[group];
    if (seq <= position.seq) return;
    position.seq = seq;
    for (const type of [event.type, "*"]) {
      for (const fn of this.#listeners.get(type) ?? []) {
        try {
          fn(event.data, event);
        } catch (error) {
          console.error(`listener of ${type} failed`, error);
        }
      }
    }
  }

  #resync({ group, epoch, seq }) {
    this.#positions[group] = { epoch, seq };
    // Spread: everybody in the workspace is told at the same moment.
    this.#tellResync(Math.random() * 1000);
  }

  #tellResync(delay) {
    setTimeout(() => this.#resyncListeners.forEach((fn) => fn()), delay);
  }

  #reply({ id, ok, data, error }) {
    const waiting = this.#commands.get(id);
    if (!waiting) return;
    this.#commands.delete(id);
    clearTimeout(waiting.timer);
    if (ok) waiting.resolve(data);
    else waiting.reject(new CommandError(error));
  }

  #tokens(message) {
    const entry = this.#watched.get(message.run_id);
    if (!entry) return;
    entry.after = message.id;
    for (const fn of entry.listeners) fn(message);
  }

  // --- presence -----------------------------------------------------------------------------------------------------

  #people({ people, all }) {
    if (all) this.people.clear();
    for (const one of people) {
      if (one.state === "gone") this.people.delete(one.user_id);
      else this.people.set(one.user_id, one);
    }
    window.dispatchEvent(new CustomEvent("pa:presence", { detail: this.people }));
  }

  #setPresence(presence) {
    if (presence.state === this.#presence.state && presence.place === this.#presence.place) return;
    this.#presence = presence;
    if (this.state === "online") this.#send({ type: "presence", ...presence });
  }

  #watchActivity() {
    let timer = null;
    const idle = () => this.#setPresence({ ...this.#presence, state: "idle" });
    const active = () => {
      clearTimeout(timer);
      timer = setTimeout(idle, IDLE_AFTER_MS);
      this.#setPresence({ ...this.#presence, state: "active" });
    };
    for (const kind of ["pointerdown", "keydown", "focus"]) window.addEventListener(kind, active, { passive: true });
    document.addEventListener("visibilitychange", () => (document.hidden ? idle() : active()));
    active();
  }
}

export const events = new Events();
