// The reasoning tree as data: steps at their places, and the rows that are to be seen. Knows nothing of the page.

/** With more steps than this, long lists of siblings are folded to their newest. */
export const FOLD_ABOVE = 200;
const KEEP_NEWEST = 40;
const UNFOLD_BY = 200;

const isLate = (known, step) => step.seq < known.seq || (step.seq === known.seq && known.status !== "running" && step.status === "running");

/** A step at its place: below `parent`, the `position`-th of its siblings, counted from 1; `at` is its row, while it is seen. */
class StepNode {
  children = [];
  at = -1;

  constructor(step) {
    this.step = step;
    this.parent = null;
    this.level = 0;
    this.position = 0;
  }

  get id() {
    return this.step.id;
  }

  get count() {
    return this.parent.children.length;
  }

  append(node) {
    this.children.push(node);
    node.parent = this;
    node.level = this.level + 1;
    node.position = this.children.length;
  }
}

const makeRoot = () => new StepNode({ id: "" });

export class StepTree {
  #nodes = new Map();
  #root = makeRoot();
  #newest = -1;
  #isInOrder = true;
  #rows = null;
  #collapsed = new Set();
  #shown = new Map();

  get size() {
    return this.#nodes.size;
  }

  get(id) {
    return this.#nodes.get(id)?.step;
  }

  /** Put a step in, or what is newer about it. What is late (a start after the end) changes nothing. */
  put(step) {
    const node = this.#nodes.get(step.id);
    if (!node) return this.#add(step);
    if (isLate(node.step, step)) return false;
    const isMoved = step.seq !== node.step.seq || step.parent !== node.step.parent;
    node.step = step;
    if (isMoved) this.#putInOrderLater();
    return true;
  }

  // News come in order, so that a new step is the last below its parent and the others stay where they are.
  #add(step) {
    const node = new StepNode(step);
    if (this.#isInOrder && step.seq > this.#newest) {
      this.#place(node, this.#nodes);
      this.#rows = null;
    } else {
      this.#nodes.set(node.id, node);
      this.#putInOrderLater();
    }
    return true;
  }

  /** Close what is still open: the run has ended. */
  settle(status) {
    for (const node of this.#nodes.values()) {
      if (node.step.status === "running") node.step = { ...node.step, status };
    }
  }

  // A parent that is unknown or comes later makes a root: nothing is lost and nothing goes round in circles.
  #place(node, earlier) {
    (earlier.get(node.step.parent) ?? this.#root).append(node);
    earlier.set(node.id, node);
    this.#newest = node.step.seq;
  }

  #putInOrderLater() {
    this.#isInOrder = false;
    this.#rows = null;
  }

  #putInOrder() {
    if (this.#isInOrder) return;
    const ordered = [...this.#nodes.values()].sort((a, b) => a.step.seq - b.step.seq);
    this.#nodes = new Map();
    this.#root = makeRoot();
    for (const node of ordered) {
      node.children = [];
      this.#place(node, this.#nodes);
    }
    this.#isInOrder = true;
  }

  childCount(id) {
    this.#putInOrder();
    return this.#nodes.get(id)?.children.length ?? 0;
  }

  isCollapsed(id) {
    return this.#collapsed.has(id);
  }

  toggle(id, isCollapsed = !this.#collapsed.has(id)) {
    if (isCollapsed) this.#collapsed.add(id);
    else this.#collapsed.delete(id);
    this.#rows = null;
  }

  /** Show more of a folded list. */
  unfold(parent) {
    this.#shown.set(parent, this.#shownOf(parent) + UNFOLD_BY);
    this.#rows = null;
  }

  /** Open all that hides a step, so that it has a row. */
  reveal(id) {
    this.#putInOrder();
    for (let node = this.#nodes.get(id); node?.parent; node = node.parent) {
      const { parent } = node;
      this.#shown.set(parent.id, Math.max(this.#shownOf(parent.id), parent.children.length - node.position + 1));
      this.#collapsed.delete(parent.id);
    }
    this.#rows = null;
  }

  #shownOf(parent) {
    return this.#shown.get(parent) ?? KEEP_NEWEST;
  }

  /** Return the number of the row of a step or fold, -1 when it is not to be seen. */
  indexOf(id) {
    const rows = this.rows();
    const node = this.#nodes.get(id);
    if (!node) return rows.findIndex((row) => row.id === id);
    return rows[node.at] === node ? node.at : -1;
  }

  /** Return the rows to be seen, in order: `{id, at, parent, level, step, position, count}` or `{id, at, parent, level, fold, hidden}`. */
  rows() {
    this.#rows ??= this.#walk();
    return this.#rows;
  }

  #walk() {
    this.#putInOrder();
    const isFolding = this.#nodes.size > FOLD_ABOVE;
    const rows = [];
    const below = (parent) => {
      const siblings = parent.children;
      const first = isFolding ? Math.max(0, siblings.length - this.#shownOf(parent.id)) : 0;
      if (first > 0) rows.push({ id: `fold-${parent.id}`, fold: true, parent, hidden: first, level: parent.level + 1, at: rows.length });
      for (const node of siblings.slice(first)) {
        node.at = rows.push(node) - 1;
        if (!this.#collapsed.has(node.id)) below(node);
      }
    };
    below(this.#root);
    return rows;
  }
}
