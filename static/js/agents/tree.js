// The reasoning tree as data: steps by id, and the rows that are to be seen. Knows nothing of the page.

/** With more steps than this, long lists of siblings are folded to their newest. */
export const FOLD_ABOVE = 200;
const KEEP_NEWEST = 40;
const UNFOLD_BY = 200;

export class StepTree {
  #steps = new Map();
  #children = null;
  #collapsed = new Set();
  #shown = new Map();

  get size() {
    return this.#steps.size;
  }

  get lastSeq() {
    let last = -1;
    for (const step of this.#steps.values()) last = Math.max(last, step.seq);
    return last;
  }

  get(id) {
    return this.#steps.get(id);
  }

  /** Put a step in, or what is newer about it. What is late (a start after the end) changes nothing. */
  put(step) {
    const known = this.#steps.get(step.id);
    if (known && (step.seq < known.seq || (step.seq === known.seq && known.status !== "running" && step.status === "running"))) return false;
    this.#steps.set(step.id, step);
    this.#children = null;
    return true;
  }

  clear() {
    this.#steps.clear();
    this.#children = null;
  }

  /** Close what is still open: the run has ended. */
  settle(status) {
    for (const [id, step] of this.#steps) {
      if (step.status === "running") this.#steps.set(id, { ...step, status });
    }
  }

  #index() {
    if (this.#children) return;
    this.#children = new Map();
    const ordered = [...this.#steps.values()].sort((a, b) => a.seq - b.seq);
    const seen = new Set();
    for (const step of ordered) {
      // A parent that is unknown or comes later makes a root: nothing is lost and nothing goes round in circles.
      const parent = seen.has(step.parent) ? step.parent : "";
      if (!this.#children.has(parent)) this.#children.set(parent, []);
      this.#children.get(parent).push(step);
      seen.add(step.id);
    }
  }

  childCount(id) {
    this.#index();
    return this.#children.get(id)?.length ?? 0;
  }

  isCollapsed(id) {
    return this.#collapsed.has(id);
  }

  toggle(id, isCollapsed = !this.#collapsed.has(id)) {
    if (isCollapsed) this.#collapsed.add(id);
    else this.#collapsed.delete(id);
  }

  /** Show more of a folded list. */
  unfold(parent) {
    this.#shown.set(parent, (this.#shown.get(parent) ?? KEEP_NEWEST) + UNFOLD_BY);
  }

  /** Return the rows to be seen, in order: `{step, level, position, count}` or `{fold, parent, hidden, level}`. */
  rows() {
    this.#index();
    const isFolding = this.#steps.size > FOLD_ABOVE;
    const rows = [];
    const walk = (parent, level) => {
      const siblings = this.#children.get(parent) ?? [];
      const shown = isFolding ? (this.#shown.get(parent) ?? KEEP_NEWEST) : siblings.length;
      const first = Math.max(0, siblings.length - shown);
      if (first > 0) rows.push({ fold: true, parent, hidden: first, level, id: `fold-${parent}` });
      for (let at = first; at < siblings.length; at += 1) {
        const step = siblings[at];
        rows.push({ step, id: step.id, level, position: at + 1, count: siblings.length });
        if (!this.#collapsed.has(step.id)) walk(step.id, level + 1);
      }
    };
    walk("", 1);
    return rows;
  }
}
