// Completes @names of people and agents in a text field: arrow keys choose, Enter or Tab takes, Escape leaves.
const PATTERN = /(^|[\s(])@([\w-]{0,39})$/;

export class Completion {
  constructor({ field, list, url }) {
    Object.assign(this, { field, list, url, found: [], at: 0, asked: 0, cache: new Map() });
    field.addEventListener("input", () => this.update());
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    list.addEventListener("pointerdown", (event) => {
      const item = event.target.closest("li");
      if (!item) return;
      event.preventDefault();
      this.take(Number(item.dataset.at));
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  get query() {
    return PATTERN.exec(this.field.value.slice(0, this.field.selectionStart))?.[2];
  }

  async update() {
    const query = this.query;
    if (query === undefined) return this.close();
    const asked = ++this.asked;
    try {
      const found = await this.look(query.toLowerCase());
      if (asked === this.asked && this.query !== undefined) this.show(found);
    } catch {
      this.close(); // completing is a comfort: the name can be typed in full
    }
  }

  async look(query) {
    if (this.cache.has(query)) return this.cache.get(query);
    const reply = await fetch(`${this.url}?q=${encodeURIComponent(query)}`, { headers: { Accept: "application/json", "HX-Request": "true" } });
    if (!reply.ok) throw new Error(String(reply.status));
    const { found } = await reply.json();
    this.cache.set(query, found);
    return found;
  }

  show(found) {
    this.found = found;
    this.at = 0;
    this.list.replaceChildren(
      ...found.map((one, at) => {
        const item = document.createElement("li");
        item.id = `completion-${at}`;
        item.role = "option";
        item.dataset.at = at;
        const handle = document.createElement("strong");
        handle.textContent = `@${one.handle}`;
        const name = document.createElement("span");
        name.className = "muted truncate";
        name.textContent = one.kind === "agent" ? `agent · ${one.name}` : one.name;
        item.append(handle, name);
        return item;
      }),
    );
    this.list.hidden = found.length === 0;
    this.mark();
  }

  mark() {
    for (const [at, item] of [...this.list.children].entries()) item.setAttribute("aria-selected", String(at === this.at));
    if (this.isOpen) {
      this.field.setAttribute("aria-activedescendant", `completion-${this.at}`);
      this.list.children[this.at].scrollIntoView({ block: "nearest" });
    } else this.field.removeAttribute("aria-activedescendant");
  }

  close() {
    this.asked++;
    this.list.hidden = true;
    this.mark();
  }

  key(event) {
    if (!this.isOpen || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.mark();
    } else if (event.key === "Enter" || event.key === "Tab") this.take(this.at);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  take(at) {
    const one = this.found[at];
    const { selectionStart: end, value } = this.field;
    const start = end - this.query.length;
    this.field.setRangeText(`${one.handle} `, start, end + (value[end] === " " ? 1 : 0), "end");
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
    this.close();
    this.field.focus();
  }
}
