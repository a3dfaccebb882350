// The file tree: folders load when opened; arrow keys, Home, End and Enter work as in any tree.
import { api } from "../lib/api.js";

export class FileTree {
  constructor(root, { onOpen, onError }) {
    this.root = root;
    this.onOpen = onOpen;
    this.onError = onError;
    root.addEventListener("click", (event) => this.#activate(event.target.closest("[role=treeitem]")));
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  async load() {
    await this.#fill(this.root, "", 1);
    const first = this.root.querySelector("[role=treeitem]");
    if (first) first.tabIndex = 0;
  }

  /** Load again what is open, keeping what is expanded and selected. */
  async refresh() {
    const open = [...this.root.querySelectorAll('[aria-expanded="true"]')].map((item) => item.dataset.path);
    const selected = this.selectedPath;
    await this.load();
    for (const path of open.sort()) {
      const item = this.#item(path);
      if (item) await this.#expand(item);
    }
    if (selected) this.select(selected);
  }

  get selectedPath() {
    return this.root.querySelector('[aria-selected="true"]')?.dataset.path ?? "";
  }

  get selectedFolder() {
    const item = this.root.querySelector('[aria-selected="true"]');
    if (!item) return "";
    return item.dataset.kind === "dir" ? item.dataset.path : item.dataset.path.split("/").slice(0, -1).join("/");
  }

  /** Open the folders that lead to a path, then select it. */
  async reveal(path) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth += 1) {
      const folder = this.#item(parts.slice(0, depth).join("/"));
      if (!folder) break;
      await this.#expand(folder);
    }
    this.select(path);
    this.#item(path)?.querySelector(".tree-label").scrollIntoView({ block: "nearest" });
  }

  select(path) {
    for (const item of this.root.querySelectorAll('[aria-selected="true"]')) item.setAttribute("aria-selected", "false");
    this.#item(path)?.setAttribute("aria-selected", "true");
  }

  async #fill(list, path, level) {
    let entries;
    try {
      entries = await api("GET", "files", { query: { path } });
    } catch (error) {
      this.onError(error);
      return;
    }
    list.replaceChildren(...entries.map((entry) => this.#make(entry, level)));
    if (!entries.length && level === 1) {
      const empty = document.createElement("li");
      empty.className = "muted small tree-none";
      empty.textContent = "No files yet.";
      list.append(empty);
    }
  }

  #make(entry, level) {
    const item = document.createElement("li");
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-level", String(level));
    item.setAttribute("aria-selected", "false");
    item.tabIndex = -1;
    Object.assign(item.dataset, { path: entry.path, kind: entry.kind, level: String(level) });
    if (entry.kind === "dir") item.setAttribute("aria-expanded", "false");
    const label = document.createElement("span");
    label.className = `tree-label ${entry.kind}`;
    label.style.paddingInlineStart = `${(level - 1) * 0.9 + 0.4}rem`;
    label.textContent = entry.name;
    item.append(label);
    item.setAttribute("aria-label", entry.kind === "dir" ? `${entry.name}, folder` : entry.name);
    return item;
  }

  #item(path) {
    return [...this.root.querySelectorAll("[role=treeitem]")].find((item) => item.dataset.path === path);
  }

  async #expand(item) {
    if (item.dataset.kind !== "dir" || item.getAttribute("aria-expanded") === "true") return;
    const group = document.createElement("ul");
    group.setAttribute("role", "group");
    await this.#fill(group, item.dataset.path, Number(item.dataset.level) + 1);
    item.querySelector(":scope > ul")?.remove();
    item.append(group);
    item.setAttribute("aria-expanded", "true");
  }

  #collapse(item) {
    item.querySelector(":scope > ul")?.remove();
    item.setAttribute("aria-expanded", "false");
  }

  async #activate(item) {
    if (!item) return;
    this.#focus(item);
    this.select(item.dataset.path);
    if (item.dataset.kind === "dir") {
      if (item.getAttribute("aria-expanded") === "true") this.#collapse(item);
      else await this.#expand(item);
    } else this.onOpen(item.dataset.path);
  }

  #focus(item) {
    for (const other of this.root.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    item.tabIndex = 0;
    item.focus();
  }

  async #key(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...this.root.querySelectorAll("[role=treeitem]")];
    const at = items.indexOf(item);
    const moves = { ArrowDown: items[at + 1], ArrowUp: items[at - 1], Home: items[0], End: items.at(-1) };
    if (event.key in moves) {
      if (moves[event.key]) this.#focus(moves[event.key]);
    } else if (event.key === "ArrowRight") {
      if (item.getAttribute("aria-expanded") === "false") await this.#expand(item);
      else if (item.querySelector(":scope > ul > li")) this.#focus(item.querySelector(":scope > ul > li"));
    } else if (event.key === "ArrowLeft") {
      if (item.getAttribute("aria-expanded") === "true") this.#collapse(item);
      else if (item.parentElement.closest("[role=treeitem]")) this.#focus(item.parentElement.closest("[role=treeitem]"));
    } else if (event.key === "Enter" || event.key === " ") await this.#activate(item);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
