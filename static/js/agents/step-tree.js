// <step-tree>: the steps of a run as a tree that grows, with what of it is opened, followed and moved about in.
//
// A card makes it and tells it the news; it draws itself once in a frame however many came, and of a long tree only the
// rows in view. Events `stop-step` and `step-problem` tell the card what a person wants and what went wrong.
import { fetchDetail } from "./http.js";
import { meaningOf } from "./keys.js";
import { fillRow, placeRow } from "./rows.js";
import { StepTree } from "./tree.js";
import { RowWindow, WHOLE_UP_TO } from "./window.js";

const KEEP_TEXT = 60_000;
// A window that is off (the first draw, a jump to the end) is right in the second pass; the third is for a changed height.
const MAX_PASSES = 3;

class StepTreeElement extends HTMLElement {
  #tree = new StepTree();
  #details = new Map();
  #texts = new Map();
  #seen = new WeakMap();
  #focusId = null;
  #frame = 0;
  #box = null;
  #window = null;
  #stand = { isFinal: false, maySteer: false, asked: new Set() };
  #resized = new ResizeObserver(() => this.#look());
  // What moves rows without being news: scrolling, a printer, an address within the page.
  #outside = [
    [document, "scroll", () => this.#look(), { capture: true, passive: true }],
    [window, "resize", () => this.#draw()],
    [window, "beforeprint", () => this.#drawWhole(true)],
    [window, "afterprint", () => this.#drawWhole(false)],
    [window, "hashchange", () => this.goToAddress()],
  ];

  /** The run whose steps these are, and whether the tree is part of a page that scrolls, or scrolls by itself. */
  run = {};
  isPage = false;

  get size() {
    return this.#tree.size;
  }

  /** Whether there are so many that not all of them stand in the page. */
  get isLong() {
    return this.size > WHOLE_UP_TO;
  }

  connectedCallback() {
    if (!this.#box) this.#build();
    for (const [target, ...how] of this.#outside) target.addEventListener(...how);
    this.#resized.observe(this.#box);
    this.#draw();
  }

  disconnectedCallback() {
    for (const [target, ...how] of this.#outside) target.removeEventListener(...how);
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #build() {
    this.#box = document.createElement("div");
    this.#box.className = "steps";
    this.#box.setAttribute("role", "tree");
    this.#box.setAttribute("aria-label", `Steps of @${this.run.agent}`);
    this.#box.addEventListener("click", (event) => this.#click(event));
    this.#box.addEventListener("focusin", (event) => this.#focused(event));
    this.#box.addEventListener("keydown", (event) => this.#keydown(event));
    this.append(this.#box);
    this.#window = new RowWindow(this.#box, this.isPage ? document.scrollingElement : this.#box, (row, element) => this.#drawRow(row, element));
  }

  // --- the news -----------------------------------------------------------------------------------------------------

  /** How the run stands: `{isFinal, maySteer, asked}`; `asked` holds the ids of steps that wait for a yes. */
  stand(stand) {
    if (Object.entries(stand).every(([name, value]) => this.#stand[name] === value)) return;
    this.#stand = stand;
    this.#soon();
  }

  /** A step as it is now. */
  put(step) {
    if (!this.#tree.put(step)) return;
    if (step.status !== "running") this.#texts.delete(step.id);
    this.#soon();
  }

  /** A piece of what a step's model writes. */
  say(stepId, text) {
    const step = this.#tree.get(stepId);
    if (step && step.status !== "running") return;
    const said = (this.#texts.get(stepId) ?? "") + text;
    this.#texts.set(stepId, said.length > KEEP_TEXT ? said.slice(-KEEP_TEXT) : said);
    this.#soon();
  }

  /** No worker has the run any more: nothing more is written. */
  hush() {
    this.#texts.clear();
    this.#soon();
  }

  /** The run has ended, and so have its open steps. */
  settle(status) {
    this.#tree.settle(status);
    this.hush();
  }

  /** Fetch again what is opened of a step, or of all steps. */
  refresh(stepId = null) {
    for (const id of this.#details.keys()) if (stepId === null || id === stepId) this.#loadDetail(id);
  }

  // --- drawing ------------------------------------------------------------------------------------------------------

  #soon() {
    if (!this.isConnected || this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  // What is seen moved: rows that come into view are drawn before the next frame.
  #look() {
    if (this.#window.isElsewhere(this.#tree.rows(), this.#kept())) this.#draw();
  }

  #drawWhole(isWhole) {
    this.#window.isWhole = isWhole;
    this.#draw();
  }

  #draw() {
    const rows = this.#tree.rows();
    if (this.#tree.indexOf(this.#focusId) < 0) this.#focusId = rows[0]?.id ?? null;
    const kept = this.#kept();
    const readAgain = this.#streams().filter((text) => !isAtEnd(text));
    this.#window.holdStill(() => this.#window.place(rows, kept), { isFollowing: !this.#stand.isFinal });
    for (let pass = 1; pass < MAX_PASSES && this.#window.isElsewhere(rows, kept); pass += 1) this.#window.place(rows, kept);
    for (const text of this.#streams()) if (!readAgain.includes(text)) text.scrollTop = text.scrollHeight;
  }

  #streams() {
    return this.#texts.size ? [...this.#box.querySelectorAll(".step-stream")] : [];
  }

  // These rows are higher than others, or hold the focus or what somebody is writing: they stay in the page.
  #kept() {
    const ids = [this.#focusId, ...this.#details.keys(), ...this.#texts.keys()];
    return [...new Set(ids.map((id) => this.#tree.indexOf(id)))].filter((at) => at >= 0).sort((a, b) => a - b);
  }

  // Of the rows in view few change between two frames; the others are not drawn again.
  #drawRow(row, element) {
    const view = this.#view(row);
    const at = [row.level, row.position, row.count];
    const shown = [row.step, row.hidden, ...Object.values(view)];
    const seen = this.#seen.get(element);
    const isFilled = isSame(seen?.shown, shown);
    if (isFilled && isSame(seen.at, at)) return;
    this.#seen.set(element, { at, shown });
    placeRow(element, row, view);
    if (!isFilled) fillRow(element, row, view);
  }

  #view({ id, step }) {
    const isRunning = step?.status === "running";
    return {
      runId: this.run.id,
      isFocus: id === this.#focusId,
      isAsked: this.#stand.asked.has(id),
      mayStop: isRunning && this.#stand.maySteer,
      childCount: this.#tree.childCount(id),
      isCollapsed: this.#tree.isCollapsed(id),
      text: isRunning ? this.#texts.get(id) : undefined,
      detail: this.#details.get(id),
    };
  }

  // --- what a person does -------------------------------------------------------------------------------------------

  #rowOf(target) {
    return this.#tree.rows()[this.#tree.indexOf(target.closest("[role=treeitem]")?.dataset.step)];
  }

  #click({ target }) {
    const row = this.#rowOf(target);
    if (!row) return;
    if (target.closest(".step-stop")) this.dispatchEvent(new CustomEvent("stop-step", { detail: row.id }));
    else if (target.closest(".step-twisty")) this.#collapse(row.id);
    else if (target.closest(".step-line")) this.#press(row);
  }

  #focused({ target }) {
    const id = target.closest("[role=treeitem]")?.dataset.step;
    if (!id || id === this.#focusId) return;
    this.#focusId = id;
    this.#draw();
  }

  #keydown(event) {
    if (!event.target.matches("[role=treeitem]")) return;
    const row = this.#rowOf(event.target);
    const meaning = row && meaningOf(event.key, this.#standOf(row));
    if (!meaning) return;
    event.preventDefault();
    if ("to" in meaning) this.#goTo(meaning.to);
    if (meaning.isPressed) this.#press(row);
    if ("isCollapsed" in meaning) this.#collapse(row.id, meaning.isCollapsed);
  }

  #standOf({ id, fold, at, parent }) {
    const [isParent, isCollapsed, isOpened] = [this.#tree.childCount(id) > 0, this.#tree.isCollapsed(id), this.#details.has(id)];
    return { at, count: this.#tree.rows().length, above: parent.at, isFold: fold, isParent, isCollapsed, isOpened };
  }

  #goTo(at) {
    this.#focusId = this.#tree.rows()[at].id;
    this.#draw();
    this.#window.element(this.#focusId).focus();
    this.#look();
  }

  /** Go to the step that the page's address means: it ends in `#step-ID`. */
  goToAddress() {
    const id = /^#step-(.+)$/.exec(location.hash)?.[1];
    if (!this.isPage || !this.#tree.get(id)) return;
    this.#tree.reveal(id);
    this.#goTo(this.#tree.indexOf(id));
  }

  #press(row) {
    if (row.fold) this.#tree.unfold(row.parent.id);
    else if (this.#details.has(row.id)) this.#details.delete(row.id);
    else this.#loadDetail(row.id);
    this.#draw();
  }

  #collapse(id, isCollapsed) {
    this.#tree.toggle(id, isCollapsed);
    this.#draw();
  }

  async #loadDetail(id) {
    if (!this.#details.has(id)) this.#details.set(id, "");
    let markup = null;
    try {
      markup = await fetchDetail(this.run, id);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("step-problem", { detail: `This step could not be opened: ${error.message}` }));
    }
    if (this.#details.has(id)) this.#details.set(id, markup);
    this.#soon();
  }
}

const isSame = (known, values) => known?.every((value, at) => value === values[at]) ?? false;

function isAtEnd(text) {
  return text.scrollHeight - text.scrollTop - text.clientHeight < 40;
}

customElements.define("step-tree", StepTreeElement);
