// Which hunk is the current one. It survives swaps, because hunks are known by their key and not by their element.
import { ask } from "./lazy.js";

const hunksOf = (file) => [...(document.getElementById(`file-${file}`)?.querySelectorAll(".hunk[data-key]") ?? [])];

export class Cursor {
  #root;
  #key = null;
  #place = null;
  #awaited = null;

  constructor(root) {
    this.#root = root;
    root.addEventListener("focusin", (event) => {
      const hunk = event.target.closest(".hunk[data-key]");
      if (hunk) this.set(hunk, { isQuiet: true });
    });
    document.addEventListener("htmx:after:swap", () => this.#afterSwap());
  }

  /** The current hunk's element; null when there is none (any more). */
  get hunk() {
    return this.#key ? document.getElementById(`hunk-${this.#key}`) : null;
  }

  /** Make `hunk` the current one; unless quiet, focus it and bring it into view. */
  set(hunk, { isQuiet = false } = {}) {
    for (const other of this.#root.querySelectorAll(".hunk.is-current")) if (other !== hunk) other.classList.remove("is-current");
    this.#key = hunk.dataset.key;
    this.#place = { file: hunk.dataset.file, at: hunksOf(hunk.dataset.file).indexOf(hunk) };
    hunk.classList.add("is-current");
    if (isQuiet) return;
    hunk.focus({ preventScroll: true });
    hunk.scrollIntoView({ block: "nearest" });
  }

  /** Go on by `step` hunks; a file that is not there yet is fetched on the way. */
  move(step) {
    const stops = [...this.#root.querySelectorAll(".rv-file:not(.is-folded) .hunk[data-key], .rv-file:not(.is-folded) .rv-lazy")];
    if (!stops.length) return;
    const at = stops.indexOf(this.hunk);
    const next = stops[at < 0 ? (step > 0 ? 0 : stops.length - 1) : at + step];
    if (!next) return;
    if (next.matches(".rv-lazy")) this.#fetch(next, step);
    else this.set(next);
  }

  /** Go to the first hunk of a file, unfolding and fetching it when needed. */
  toFile(id) {
    const file = document.getElementById(`file-${id}`);
    if (!file) return;
    if (file.classList.contains("is-folded")) file.querySelector("[data-fold]").click();
    file.scrollIntoView({ block: "start" });
    const first = file.querySelector(".hunk[data-key], .rv-lazy");
    if (first?.matches(".rv-lazy")) this.#fetch(first, 1);
    else if (first) this.set(first);
  }

  // A hunk that was split, or carried over to another revision, has gone: what stands in its place is the current one.
  #takeOver() {
    const hunks = hunksOf(this.#place.file);
    const hunk = hunks[Math.min(this.#place.at, hunks.length - 1)];
    if (hunk) this.set(hunk, { isQuiet: document.activeElement !== document.body });
  }

  #fetch(lazy, step) {
    this.#awaited = { file: lazy.closest(".rv-file").dataset.file, step };
    ask(lazy);
  }

  #afterSwap() {
    if (this.#awaited) {
      const hunks = hunksOf(this.#awaited.file);
      const hunk = this.#awaited.step > 0 ? hunks[0] : hunks.at(-1);
      if (hunk) {
        this.#awaited = null;
        this.set(hunk);
        return;
      }
    }
    const hunk = this.hunk;
    if (!hunk && this.#key) return this.#takeOver();
    if (!hunk || hunk.classList.contains("is-current")) return;
    hunk.classList.add("is-current");
    // The button that was pressed is gone with the old element: keep the keyboard where it was.
    if (document.activeElement === document.body) hunk.focus({ preventScroll: true });
  }
}
