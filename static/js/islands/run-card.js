// <run-card data-run='{…}' [data-page]>: a run with its live reasoning tree.
//
// The server renders a first state inside, which stays until this element knows at least as much. A card asks for its
// steps when it comes into view and is at work, or when somebody opens it; then it follows the workspace's news.
import { LitElement, html, nothing } from "lit";

import { approvals } from "../agents/approvals.js";
import "../agents/children.js";
import { visible } from "../agents/format.js";
import { answer, facts, failure, foot, head, manySteps, noSteps } from "../agents/head.js";
import { act, decide, fetchState, runUrl, steer } from "../agents/http.js";
import "../agents/lineage.js";
import { endTelling } from "../agents/steering.js";
import { events } from "../events.js";

const FINAL = new Set(["finished", "failed", "cancelled", "dead"]);
const LET_GO = new Set(["queued", "suspended"]);
const OPEN_STEPS_BECOME = { finished: "cancelled", failed: "failed", cancelled: "cancelled", dead: "failed" };
const MAX_SEQ = 2 ** 31 - 1;
const ROLES = ["viewer", "member", "maintainer", "owner"];

const cards = new Map();
events.on("RunChanged", ({ run_id, run }) => cards.get(run_id)?.forEach((card) => card.hear(run)));
events.on("RunQueued", ({ run }) => run.retry_of && cards.get(run.retry_of)?.forEach((card) => card.triedAgain(run)));
events.on("StepStarted", ({ run_id, step }) => cards.get(run_id)?.forEach((card) => card.stepStarted(step)));
events.on("StepFinished", ({ run_id, step, totals }) => cards.get(run_id)?.forEach((card) => card.stepFinished(step, totals)));
events.on("ApprovalChanged", ({ run_id }) => cards.get(run_id)?.forEach((card) => card.asked()));
events.on("ReviewOpened", ({ run_id, change_set_id }) => cards.get(run_id)?.forEach((card) => card.hear({ review_id: change_set_id })));
events.onResync(() => cards.forEach((set) => set.forEach((card) => card.resync())));

// Opened only when seen: a channel of a thousand messages must not ask for a hundred trees.
const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) target.seen();
});

class RunCard extends LitElement {
  static properties = { run: { state: true }, isOpen: { state: true }, problem: { state: true }, again: { state: true }, now: { state: true } };

  #steps = null;
  // From the beginning: a page opened in the middle of a step shows what was said before.
  #heard = "0-0";
  #isLoaded = false;
  #loading = null;
  #isTakenOver = false;
  #unwatch = null;
  #clock = null;
  #isActing = false;
  #approvals = [];
  #asked = new Set();
  #children = [];

  constructor() {
    super();
    this.run = {};
    this.isOpen = false;
    this.problem = "";
    this.again = null;
    this.now = Date.now();
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    if (!this.run.id) this.run = JSON.parse(this.dataset.run);
    this.isOpen ||= this.isPage || !this.isFinal;
    if (!cards.has(this.run.id)) cards.set(this.run.id, new Set());
    cards.get(this.run.id).add(this);
    super.connectedCallback();
    inView.observe(this);
    if (this.#isLoaded) this.#followLife();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    inView.unobserve(this);
    const set = cards.get(this.run.id);
    set?.delete(this);
    if (set?.size === 0) cards.delete(this.run.id);
    this.#stopWatching();
  }

  // Fetched when a card is first opened: most cards of a channel stay closed.
  async #makeTree() {
    await import("../agents/step-tree.js");
    if (this.#steps) return;
    this.#steps = document.createElement("step-tree");
    this.#steps.run = this.run;
    this.#steps.isPage = this.isPage;
    this.#steps.addEventListener("stop-step", ({ detail }) => this.#stopStep(detail));
    this.#steps.addEventListener("step-problem", ({ detail }) => (this.problem = detail));
  }

  get isPage() {
    return "page" in this.dataset;
  }

  get isFinal() {
    return FINAL.has(this.run.status);
  }

  // News come one by one and faster than anybody reads: the card is drawn once in a frame.
  async scheduleUpdate() {
    await new Promise(requestAnimationFrame);
    super.scheduleUpdate();
  }

  // The server's first state stays until the tree is here, so that nothing flickers and nothing is missing without scripts.
  shouldUpdate() {
    if (this.#isTakenOver) return true;
    if (this.isOpen && !this.#isLoaded && !this.problem) return false;
    this.replaceChildren();
    this.#isTakenOver = true;
    return true;
  }

  // --- what happens -------------------------------------------------------------------------------------------------

  seen() {
    if (this.isOpen) this.load();
  }

  /** The run as it stands now; what has ended stays ended. */
  hear(run) {
    if (this.isFinal && run.status && !FINAL.has(run.status)) return;
    const wasFinal = this.isFinal;
    const letGo = LET_GO.has(run.status) && !LET_GO.has(this.run.status);
    this.run = { ...this.run, ...run };
    if (letGo && this.#isLoaded) {
      // No worker has it any more: which steps were cut off, and which wait for others, the server knows.
      this.#steps.hush();
      this.#reload();
    }
    if (this.isFinal && !wasFinal) {
      this.#steps?.settle(OPEN_STEPS_BECOME[this.run.status]);
      this.#stopWatching();
      this.#steps?.refresh();
      if (this.isPage) this.#reload();
      if (this.isPage) endTelling();
      if (this.isPage) document.getElementById("run-again")?.removeAttribute("hidden");
    } else {
      this.#followLife();
    }
    if (this.isOpen && !this.#isLoaded) this.load();
  }

  triedAgain(run) {
    this.again = run;
  }

  stepStarted(step) {
    if (this.#steps?.size === 0) this.requestUpdate();
    this.#steps?.put(step);
  }

  stepFinished(step, totals) {
    this.run = { ...this.run, ...totals };
    this.#steps?.put(step);
    this.#steps?.refresh(step.id);
  }

  /** A call waits for a person, or was answered: what this person may do about it is asked for. */
  async asked() {
    const state = await fetchState(this.run, MAX_SEQ).catch(() => null);
    if (!state) return;
    this.#ask(state.approvals);
    this.hear(state.run);
  }

  resync() {
    if (this.#isLoaded) this.#reload();
    else if (this.isOpen) this.load();
    else if (!this.isFinal) this.#refreshHead();
  }

  // What is seen stays while the state is asked for again.
  #reload() {
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
  }

  async #refreshHead() {
    const state = await fetchState(this.run, MAX_SEQ).catch(() => null);
    if (state) this.hear(state.run);
  }

  load() {
    if (!this.#isLoaded) this.#loading ??= this.#load().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #load() {
    const isFirst = !this.#isLoaded;
    try {
      await this.#makeTree();
      let after = -1;
      for (let page = 0, more = true; more && page < 50; page += 1) {
        const state = await fetchState(this.run, after);
        for (const step of state.steps) this.#steps.put(step);
        after = state.steps.at(-1)?.seq ?? after;
        more = state.has_more;
        this.#ask(state.approvals);
        this.#children = state.children;
        this.rights = { cancel: state.may_cancel, retry: state.may_retry, priorities: state.priorities };
        this.#isLoaded = true;
        this.problem = "";
        this.#hearLoaded(state.run);
      }
    } catch (error) {
      this.problem = `The steps could not be loaded: ${error.message}`;
    }
    this.requestUpdate();
    if (isFirst) this.updateComplete.then(() => this.#steps?.goToAddress());
  }

  // A snapshot may be older than news that came while it was on its way: what has ended stays ended.
  #hearLoaded(run) {
    if (!this.isFinal || FINAL.has(run.status)) this.run = { ...this.run, ...run };
    if (this.isFinal) this.#steps.settle(OPEN_STEPS_BECOME[this.run.status]);
    this.#followLife();
  }

  // --- what is followed while the run is at work ---------------------------------------------------------------------

  #followLife() {
    if (this.isFinal || !this.isConnected) return this.#stopWatching();
    if (!this.isOpen || !this.#steps) return;
    this.#unwatch ??= events.watchRun(this.run.id, (piece) => this.#say(piece), this.#heard);
    this.#clock ??= setInterval(() => (this.now = Date.now()), 1000);
  }

  #stopWatching() {
    this.#unwatch?.();
    this.#unwatch = null;
    clearInterval(this.#clock);
    this.#clock = null;
  }

  #say({ step_id, text, id }) {
    if (id) this.#heard = id;
    this.#steps.say(step_id, text);
  }

  // --- what a person does -------------------------------------------------------------------------------------------

  async #act(what, fields) {
    if (this.#isActing) return;
    this.#isActing = true;
    this.problem = "";
    this.requestUpdate();
    try {
      const run = await act(this.run, what, fields);
      if (what !== "retry") this.hear(run);
      else if (this.isPage) location.assign(runUrl(run));
      else this.again = run;
    } catch (error) {
      this.problem = error.message;
    } finally {
      this.#isActing = false;
      this.requestUpdate();
    }
  }

  async #answer(item, verdict, text) {
    if (this.#isActing) return;
    this.#isActing = true;
    this.problem = "";
    this.requestUpdate();
    try {
      this.#ask(await decide(this.run, item.step_id, verdict, text));
    } catch (error) {
      this.problem = error.message;
    } finally {
      this.#isActing = false;
      this.requestUpdate();
    }
  }

  #ask(items) {
    this.#approvals = items;
    this.#asked = new Set(items.filter((item) => item.is_open).map((item) => item.step_id));
    this.requestUpdate();
  }

  async #stopStep(stepId) {
    this.problem = "";
    try {
      await steer(runUrl(this.run, "steer/"), new URLSearchParams({ kind: "stop_step", step_id: stepId }));
    } catch (error) {
      this.problem = error.message;
    }
    this.requestUpdate();
  }

  toggleOpen() {
    this.isOpen = !this.isOpen;
    if (this.isOpen) this.load();
    else this.#stopWatching();
  }

  // --- what is seen -------------------------------------------------------------------------------------------------

  get may() {
    const { role, userId } = document.body.dataset;
    const rank = ROLES.indexOf(role);
    const isOwn = String(this.run.requested_by_id) === userId;
    return this.rights ?? { cancel: rank >= 2 || (rank === 1 && isOwn), retry: rank >= 1, priorities: null };
  }

  willUpdate() {
    this.#steps?.stand({ isFinal: this.isFinal, maySteer: this.may.cancel && !this.isFinal, asked: this.#asked });
  }

  render() {
    const { run, isPage, isFinal, may } = this;
    const controls = { isFinal, isBusy: this.#isActing, wasTriedAgain: Boolean(this.again), act: (what, fields) => this.#act(what, fields) };
    return html`${head(run, { isPage, may, controls })}${facts(run, { isFinal, now: this.now })}${failure(run, { isFinal })}${answer(run, { isPage })}
      ${isFinal ? nothing : approvals(run, this.#approvals, { isActing: this.#isActing, answer: (...given) => this.#answer(...given) })}
      ${this.problem ? html`<div class="run-error" role="alert"><p>${visible(this.problem)}</p></div>` : nothing}
      ${this.isOpen && this.#isLoaded ? this.#tree() : nothing}
      ${isPage ? nothing : html`<run-children .parent=${run} .known=${this.#children}></run-children>`}
      ${foot(run, { isPage, isOpen: this.isOpen, again: this.again, may, controls, toggle: () => this.toggleOpen() })}`;
  }

  #tree() {
    const { size } = this.#steps;
    if (size === 0) return noSteps(this.run, { isFinal: this.isFinal });
    return html`${this.isPage && this.#steps.isLong ? manySteps(this.run, size) : nothing}${this.#steps}`;
  }
}

customElements.define("run-card", RunCard);
