// The log of messages: puts each message where its number says, once; keeps the view where the reader is; loads history.
const NEAR_BOTTOM_PX = 80;
const TOGETHER_S = 300;
// Away for longer than this, the newest page is what a reader wants, not everything in between.
const MAX_CATCH_UP_PAGES = 5;
const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const WHOLE = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export class MessageLog {
  constructor({ log, chat, me, isMaintainer }) {
    Object.assign(this, { log, chat, me, isMaintainer });
    this.topicId = chat.dataset.topicId;
    this.isAtNewest = chat.dataset.hasNewer !== "1";
    this.asOf = Number(chat.dataset.asOf);
    this.isLoading = false;
    this.missed = new Set(); // numbers of messages that were told of and could not be fetched
    // Who stands at the bottom stays there when a card grows or the window shrinks, as under a phone's keyboard.
    this.isFollowing = true;
    this.sizes = new ResizeObserver(() => this.isFollowing && this.scrollToBottom());
    this.sizes.observe(log);
    log.addEventListener("scroll", () => (this.isFollowing = this.isNearBottom && this.isAtNewest), { passive: true });
    for (const article of this.articles()) this.dress(article);
    this.watchHistory();
  }

  articles() {
    return [...this.log.querySelectorAll(".message[data-number]")];
  }

  get lastNumber() {
    const last = this.articles().at(-1);
    return last ? Number(last.dataset.number) : 0;
  }

  get firstNumber() {
    const first = this.log.querySelector(".message[data-number]");
    return first ? Number(first.dataset.number) : 0;
  }

  get isNearBottom() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_BOTTOM_PX;
  }

  find(id) {
    return this.log.querySelector(`#m${id}`);
  }

  scrollToBottom() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  /** Keep what the reader looks at where it is while `change` alters the log; follow the bottom when they were there. */
  steady(change) {
    const wasNearBottom = this.isNearBottom;
    const anchor = wasNearBottom ? null : this.firstInView();
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (wasNearBottom) this.scrollToBottom();
    else if (anchor?.isConnected) this.log.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  firstInView() {
    const { left, top, width, height } = this.log.getBoundingClientRect();
    // Asked of the browser instead of measuring every message, which would lay out what is off screen.
    for (let y = top + 8; y < top + height; y += 40) {
      const found = document.elementFromPoint(left + width / 2, y)?.closest(".message");
      if (found && this.log.contains(found)) return found;
    }
    return null;
  }

  /** Put the messages of a piece of HTML in; those that are there already are replaced. */
  insert(html) {
    const piece = new DOMParser().parseFromString(html, "text/html");
    const changed = piece.querySelector("template[data-changed]");
    if (changed) for (const article of changed.content.querySelectorAll(".message")) this.replace(article);
    const articles = [...piece.body.querySelectorAll(":scope > .message")];
    const isAllOlder = articles.length > 1 && this.firstNumber && Number(articles.at(-1).dataset.number) < this.firstNumber;
    if (isAllOlder) return this.prepend(piece, articles);
    for (const article of articles) {
      if (this.topicId && article.dataset.topicId !== this.topicId) continue;
      if (this.find(article.dataset.id)) this.replace(article);
      else this.place(document.importNode(article, true));
    }
  }

  /** Put a page of history in as it stands: the server has arranged it, only its border with the log is new. */
  prepend(piece, articles) {
    const first = this.log.querySelector(".message[data-number]");
    const border = first.previousElementSibling?.matches("[data-topic-line]") ? first.previousElementSibling : first;
    const fragment = document.createDocumentFragment();
    fragment.append(...[...piece.body.children].filter((one) => !one.matches("template")));
    for (const article of articles) this.dress(article);
    border.before(document.adoptNode(fragment));
    this.arrange(first);
  }

  place(article) {
    const number = Number(article.dataset.number);
    if (article.dataset.clientId) this.log.querySelector(`.is-local[data-client-id="${CSS.escape(article.dataset.clientId)}"]`)?.remove();
    const locals = this.log.querySelector(".is-local");
    let next = locals ?? null;
    const all = this.articles();
    for (let i = all.length - 1; i >= 0 && Number(all[i].dataset.number) > number; i--) next = all[i];
    // What marks the start of a topic belongs to the message after it.
    while (next?.previousElementSibling?.matches("[data-topic-line], .unread-line")) next = next.previousElementSibling;
    if (next) next.before(article);
    else if (all.length) all.at(-1).after(article);
    else this.log.append(article);
    this.dress(article);
    this.arrange(article);
    const after = this.neighbour(article, "nextElementSibling");
    if (after) this.arrange(after);
    return article;
  }

  replace(article) {
    const old = this.find(article.dataset.id);
    if (!old || old.querySelector(".message-edit")) return;
    const fresh = document.importNode(article, true);
    // A run's card lives on its own news; only what stands around it is new.
    const card = old.querySelector(".message-card");
    if (card) fresh.querySelector(".message-card")?.replaceWith(card);
    const hadFocus = old.contains(document.activeElement);
    fresh.classList.toggle("is-continued", old.classList.contains("is-continued"));
    old.replaceWith(fresh);
    this.dress(fresh);
    if (hadFocus) fresh.focus({ preventScroll: true });
  }

  neighbour(article, direction) {
    let one = article[direction];
    while (one && !one.matches(".message[data-number]")) one = one[direction];
    return one;
  }

  /** Decide whether a message begins a topic or goes on under the head of the one before it. */
  arrange(article) {
    const before = this.neighbour(article, "previousElementSibling");
    const isNewTopic = !before || before.dataset.topicId !== article.dataset.topicId;
    const isTogether = !isNewTopic && before.dataset.authorId && before.dataset.authorId === article.dataset.authorId && !before.dataset.runId && Number(article.dataset.at) - Number(before.dataset.at) <= TOGETHER_S;
    article.classList.toggle("is-continued", Boolean(isTogether));
    const line = article.previousElementSibling?.matches("[data-topic-line]") ? article.previousElementSibling : null;
    if (!isNewTopic) line?.remove();
    else if (!line) article.before(this.topicLine(article));
  }

  topicLine({ dataset }) {
    const line = document.createElement("div");
    line.className = "topic-line";
    line.dataset.topicLine = "";
    const link = document.createElement("a");
    link.href = `${this.chat.dataset.url}?topic=${dataset.topicId}`;
    link.textContent = `# ${dataset.topic}`;
    line.append(link);
    return line;
  }

  /** What depends on who looks: local time, own buttons, own reactions, being mentioned. */
  dress(article) {
    const time = article.querySelector("time");
    if (time) {
      const at = new Date(time.dateTime);
      time.textContent = (Date.now() - at < 20 * 3600_000 ? CLOCK : DAY).format(at);
      time.title = WHOLE.format(at);
    }
    if (article.dataset.runId) this.sizes.observe(article);
    const isMine = article.dataset.authorId === String(this.me.id);
    const edit = article.querySelector('[data-act="edit"]');
    const remove = article.querySelector('[data-act="delete"]');
    if (edit) edit.hidden = !isMine || Boolean(article.dataset.runId);
    if (remove) remove.hidden = !(isMine || (this.isMaintainer && article.dataset.authorId));
    for (const one of article.querySelectorAll(".reaction")) {
      one.setAttribute("aria-pressed", String(one.dataset.userIds.split(",").includes(String(this.me.id))));
    }
    for (const one of article.querySelectorAll(".mention")) one.classList.toggle("is-me", one.textContent === `@${this.me.name}`);
  }

  // --- history ------------------------------------------------------------------------------------------------------

  async fetch(query) {
    const url = new URL(`${this.chat.dataset.url}messages/`, location.origin);
    for (const [name, value] of Object.entries(query)) if (value !== "" && value != null) url.searchParams.set(name, value);
    const reply = await fetch(url, { headers: { "HX-Request": "true" } });
    if (!reply.ok) throw new Error(`history: ${reply.status}`);
    return { html: await reply.text(), hasOlder: reply.headers.get("X-Has-Older") === "1", hasNewer: reply.headers.get("X-Has-Newer") === "1", asOf: Number(reply.headers.get("X-As-Of")) };
  }

  watchHistory() {
    const link = this.log.querySelector("#older");
    if (!link) return;
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && this.loadOlder(), { root: this.log, rootMargin: "600px 0px 0px 0px" });
    observer.observe(link);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.loadOlder();
    });
  }

  async loadOlder() {
    const link = this.log.querySelector("#older");
    if (!link || this.isLoading) return;
    this.isLoading = true;
    this.log.setAttribute("aria-live", "off");
    try {
      const reply = await this.fetch({ before: this.firstNumber, topic: this.topicId }).catch(() => null);
      if (!reply) return; // the link stays: scrolling to it and pressing it ask again
      const { html, hasOlder } = reply;
      this.steady(() => {
        this.insert(html);
        if (!hasOlder) {
          link.remove();
          this.log.querySelector("#beginning").hidden = false;
        }
      });
      // Still in sight after a short page: the observer tells only of changes.
      if (hasOlder && link.getBoundingClientRect().bottom > this.log.getBoundingClientRect().top - 600) setTimeout(() => this.loadOlder(), 50);
    } finally {
      this.isLoading = false;
      this.log.setAttribute("aria-live", "polite");
    }
  }

  /** Fetch what was posted after the last message, and what was changed since the page last knew everything. */
  async catchUp() {
    if (!this.isAtNewest) return;
    for (const number of this.missed) {
      const { html } = await this.fetch({ only: number });
      this.steady(() => this.insert(html));
      this.missed.delete(number);
    }
    let hasNewer = true;
    let since = this.asOf;
    for (let round = 0; hasNewer; round++) {
      if (round >= MAX_CATCH_UP_PAGES) return location.reload();
      const last = this.lastNumber;
      const reply = await this.fetch({ after: last, changed_since: since, first: this.firstNumber, topic: this.topicId });
      since = "";
      this.steady(() => this.insert(reply.html));
      this.asOf = reply.asOf;
      hasNewer = reply.hasNewer && this.lastNumber > last;
    }
  }
}
