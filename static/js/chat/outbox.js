// Messages on their way: shown at once, sent in order, sent again after a lost connection. The server knows each by its
// client_id, so nothing is posted twice; what could not be sent survives a reload in this tab.
import { events } from "../events.js";

const STAY = new Set(["offline", "timeout", "unavailable", "too_many"]);

export class Outbox {
  constructor({ log, me, channelId, onReply, onFailure, onEdit }) {
    Object.assign(this, { log, me, channelId, onReply, onFailure, onEdit });
    this.key = `outbox:${me.id}:${channelId}`;
    this.waiting = JSON.parse(sessionStorage.getItem(this.key) ?? "[]");
    this.isSending = false;
    this.retryMs = 1000;
    for (const item of this.waiting) this.show(item);
    events.onState((state) => state === "online" && this.flush());
  }

  add({ text, topic }) {
    const item = { text, topic, client_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, at: Date.now() };
    this.waiting.push(item);
    this.save();
    this.show(item);
    this.flush();
  }

  save() {
    sessionStorage.setItem(this.key, JSON.stringify(this.waiting));
  }

  drop(item) {
    this.waiting = this.waiting.filter((other) => other !== item);
    this.save();
  }

  async flush() {
    if (this.isSending) return;
    this.isSending = true;
    try {
      while (this.waiting.some((item) => !item.error) && events.state === "online") {
        const item = this.waiting.find((one) => !one.error);
        try {
          const { text, topic, client_id } = item;
          const data = await events.command("chat.post_message", { channel_id: this.channelId, text, topic, client_id });
          this.retryMs = 1000;
          this.drop(item);
          this.onReply(data, item);
        } catch (error) {
          if (STAY.has(error.code)) {
            setTimeout(() => this.flush(), (error.facts?.retry_after_s ?? 0) * 1000 || this.retryMs);
            this.retryMs = Math.min(this.retryMs * 2, 30_000);
            return;
          }
          item.error = error.message;
          this.save();
          this.mark(item);
          this.onFailure(error, item);
        }
      }
    } finally {
      this.isSending = false;
    }
  }

  element(item) {
    return this.log.log.querySelector(`.is-local[data-client-id="${CSS.escape(item.client_id)}"]`);
  }

  show(item) {
    const article = document.createElement("article");
    article.className = "message is-local is-sending";
    article.dataset.clientId = item.client_id;
    article.tabIndex = -1;
    const gutter = document.createElement("div");
    gutter.className = "message-gutter";
    gutter.innerHTML = '<span class="avatar"></span>';
    const avatar = document.querySelector(".topbar .avatar");
    gutter.firstChild.className = avatar?.className ?? "avatar";
    gutter.firstChild.textContent = avatar?.textContent ?? "";
    const head = document.createElement("div");
    head.className = "message-head";
    const name = document.createElement("strong");
    name.textContent = this.me.name;
    head.append(name, " ");
    const body = document.createElement("div");
    body.className = "message-body";
    const words = document.createElement("p");
    words.style.whiteSpace = "pre-wrap";
    words.textContent = item.text;
    body.append(words);
    article.append(gutter, head, body);
    this.log.log.append(article);
    if (item.error) this.mark(item);
    this.log.scrollToBottom();
  }

  mark(item) {
    const article = this.element(item);
    if (!article) return;
    article.classList.replace("is-sending", "is-failed");
    const row = document.createElement("div");
    row.className = "message-retry";
    const words = document.createElement("span");
    words.textContent = item.error;
    const again = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Send again" });
    const edit = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Edit" });
    const discard = Object.assign(document.createElement("button"), { type: "button", className: "button quiet", textContent: "Discard" });
    again.onclick = () => {
      delete item.error;
      row.remove();
      article.classList.replace("is-failed", "is-sending");
      this.flush();
    };
    discard.onclick = () => {
      this.drop(item);
      article.remove();
    };
    edit.onclick = () => {
      discard.onclick();
      this.onEdit(item);
    };
    row.append(words, again, edit, discard);
    article.append(row);
  }
}
