// A long list of which only the rows near the view stand in the page; the others are space between them.
//
// All rows are equally high (the stylesheet sees to it), but for those that are kept: what is opened, and what has the
// focus. Those always stand in the page. So a space is the number of its rows times their height, and nothing is guessed.

/** Lists up to this length stand in the page as a whole. */
export const WHOLE_UP_TO = 200;
const GUESSED_HEIGHT = 32;
const LEAST_MARGIN = 300;
// Who is this near to the end follows it.
const END_PX = 40;
// A view that moved by less needs no new rows yet.
const SLACK_ROWS = 4;

export class RowWindow {
  #box;
  #scroller;
  #draw;
  #drawn = new Map();
  #rest = document.createElement("div");
  #height = GUESSED_HEIGHT;
  #range = { first: 0, last: -1 };
  /** True while all rows are to stand in the page, as for a printer. */
  isWhole = false;

  /** `box` holds the rows, `scroller` moves them (the box itself, or the page); `draw(row, element)` writes a row. */
  constructor(box, scroller, draw) {
    this.#box = box;
    this.#scroller = scroller;
    this.#draw = draw;
    // The space below the last row is no padding: that would make the box higher than it may be.
    this.#rest.setAttribute("role", "none");
    box.append(this.#rest);
  }

  get isWindowed() {
    return this.#box.classList.contains("is-windowed");
  }

  element(id) {
    return this.#drawn.get(id);
  }

  /** Put the rows into the page that are in view or kept (their numbers, in order), and take the others out. */
  place(rows, kept) {
    this.#box.classList.toggle("is-windowed", rows.length > WHOLE_UP_TO);
    const keptIds = new Set(kept.map((at) => rows[at].id));
    this.#range = this.#rangeOf(rows, kept);
    const { first, last } = this.#range;
    const numbers = [...kept.filter((at) => at < first), ...count(first, last), ...kept.filter((at) => at > last)];
    const ids = new Set(numbers.map((at) => rows[at].id));
    for (const [id, element] of this.#drawn) {
      if (ids.has(id)) continue;
      element.remove();
      this.#drawn.delete(id);
    }
    this.#fill(rows, numbers);
    if (this.isWindowed && this.#measure(keptIds)) this.#fill(rows, numbers);
  }

  #fill(rows, numbers) {
    let next = this.#box.firstElementChild;
    let before = -1;
    for (const at of numbers) {
      const row = rows[at];
      const element = this.#drawn.get(row.id) ?? document.createElement("div");
      this.#drawn.set(row.id, element);
      this.#draw(row, element);
      space(element, "marginTop", (at - before - 1) * this.#height);
      if (element === next) next = element.nextElementSibling;
      else this.#box.insertBefore(element, next);
      before = at;
    }
    space(this.#rest, "height", (rows.length - before - 1) * this.#height);
  }

  /** Whether the view has come to rows that do not stand in the page. */
  isElsewhere(rows, kept) {
    if (!this.isWindowed || this.isWhole) return false;
    const { first, last } = this.#rangeOf(rows, kept);
    const now = this.#range;
    const isEnd = last === rows.length - 1 || first === 0;
    return Math.max(Math.abs(first - now.first), Math.abs(last - now.last)) >= (isEnd ? 1 : SLACK_ROWS);
  }

  // Returns whether a row that is neither opened nor anything else has another height than was thought.
  #measure(keptIds) {
    const [, usual] = [...this.#drawn].find(([id]) => !keptIds.has(id)) ?? [];
    const height = usual?.getBoundingClientRect().height || this.#height;
    const isOther = height !== this.#height;
    this.#height = height;
    return isOther;
  }

  #rangeOf(rows, kept) {
    if (rows.length <= WHOLE_UP_TO || this.isWhole) return { first: 0, last: rows.length - 1 };
    const { top, bottom } = this.#view();
    const margin = Math.max(bottom - top, LEAST_MARGIN);
    const tall = kept.map((at) => ({ at, more: (this.#drawn.get(rows[at].id)?.getBoundingClientRect().height ?? this.#height) - this.#height }));
    const rowAt = (y) => Math.max(0, Math.min(rows.length - 1, numberAt(y, tall, this.#height)));
    return { first: rowAt(top - margin), last: rowAt(bottom + margin) };
  }

  // What is seen of the list, in pixels from its first row.
  #view() {
    const box = this.#box.getBoundingClientRect();
    const top = Math.max(0, box.top);
    const bottom = Math.max(top, this.#isOwnScroller ? Math.min(innerHeight, box.top + this.#box.clientHeight) : innerHeight);
    const start = box.top - this.#box.scrollTop;
    return { top: top - start, bottom: bottom - start };
  }

  get #isOwnScroller() {
    return this.#scroller === this.#box;
  }

  /** Make a change and keep what is seen where it is: the list's end, when that is followed and in view, else the first row. */
  holdStill(change, { isFollowing }) {
    const isHeldByEnd = isFollowing && (this.#isOwnScroller || this.isWindowed) && this.#isAtEnd;
    const first = isHeldByEnd || !this.isWindowed ? null : this.#firstSeen;
    const before = isHeldByEnd ? this.#end : first?.getBoundingClientRect().top;
    change();
    if (!isHeldByEnd && !first?.isConnected) return;
    const moved = (isHeldByEnd ? this.#end : first.getBoundingClientRect().top) - before;
    if (moved) this.#scroller.scrollTop += moved;
  }

  // Where the list ends, in pixels of the window, whether that is seen or not.
  get #end() {
    const { top, bottom } = this.#box.getBoundingClientRect();
    return this.#isOwnScroller ? top - this.#box.scrollTop + this.#box.scrollHeight : bottom;
  }

  get #isAtEnd() {
    const bottom = this.#isOwnScroller ? this.#box.getBoundingClientRect().top + this.#box.clientHeight : innerHeight;
    return this.#end - bottom < END_PX;
  }

  get #firstSeen() {
    const top = Math.max(0, this.#box.getBoundingClientRect().top);
    return [...this.#box.children].find((element) => element !== this.#rest && element.getBoundingClientRect().bottom > top) ?? null;
  }
}

function count(first, last) {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
}

// The row at a height, where some rows (`tall`, in order) are higher than the others.
function numberAt(y, tall, height) {
  let over = 0;
  for (const { at, more } of tall) {
    const top = at * height + over;
    if (y < top + height) break;
    if (y < top + height + more) return at;
    over += more;
  }
  return Math.floor((y - over) / height);
}

// Set by the object model: the page's policy allows no style attributes.
function space(element, side, px) {
  const value = px > 0 ? `${px}px` : "";
  if (element.style[side] !== value) element.style[side] = value;
}
