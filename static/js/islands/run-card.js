// <run-card data-run='{…}' [data-page]>: a run with its live reasoning tree.
//
// The server renders a first state inside, which stays until this element knows at least as much. A card asks for its
// steps when it comes into view and is at work, or when somebody opens it; then it follows the workspace's news.
import { LitElement, html, nothing } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";

import { cost, duration, tokens, visible } from "../agents/format.js";
import { buttons, priorityBadge, priorityChoice } from "../agents/controls.js";
import { approvals } from "../agents/approvals.js";
import "../agents/children.js";
import { act, decide, fetchDetail, fetchState, runUrl, steer } from "../agents/http.js";
import { icon, statusOf } from "../agents/icons.js";
import { prose } from "../agents/prose.js";
import "../agents/lineage.js";
import { foldRow, stepRow } from "../agents/rows.js";
import "../agents/steering.js";
import { StepTree } from "../agents/tree.js";
import { events } from "../events.js";

const FINAL = new Set(["finished", "failed", "cancelled", "dead"]);
const LET_GO = new Set(["queued", "suspended"]);
const OPEN_STEPS_BECOME = { finished: "cancelled", failed: "failed", cancelled: "cancelled", dead: "failed" };
const KEEP_TEXT = 60_000;
const MAX_SEQ = 2 ** 31 - 1;
const PAINT_MS = 60;
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
  static properties = { run: { state: true }, isOpen: { state: true }, problem: { state: true }, again: { state: true }, focusId: { state: true }, now: { state: true } };

  #tree = new StepTree();
  #details = new Map();
  #texts = new Map();
  // From the beginning: a page opened in the middle of a step shows what was said before.
  #heard = "0-0";
  #isLoaded = false;
  #loading = null;
  #isTakenOver = false;
  #unwatch = null;
  #clock = null;
  #paint = null;
  #isActing = false;
  #isFollowing = true;
  #approvals = [];
  #children = [];

  constructor() {
    super();
    this.run = {};
    this.isOpen = false;
    this.problem = "";
    this.again = null;
    this.focusId = null;
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
    clearTimeout(this.#paint);
    this.#paint = null;
  }

  get isPage() {
    return "page" in this.dataset;
  }

  get isFinal() {
    return FINAL.has(this.run.status);
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
      this.#texts.clear();
      this.#reload();
    }
    if (this.isFinal && !wasFinal) {
      this.#tree.settle(OPEN_STEPS_BECOME[this.run.status]);
      this.#texts.clear();
      this.#stopWatching();
      for (const id of this.#details.keys()) this.#loadDetail(id);
      if (this.isPage) this.#reload();
      if (this.isPage) document.getElementById("tell-agent")?.remove();
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
    if (this.#tree.put(step)) this.#schedule();
  }

  stepFinished(step, totals) {
    this.run = { ...this.run, ...totals };
    this.#tree.put(step);
    this.#texts.delete(step.id);
    if (this.#details.has(step.id)) this.#loadDetail(step.id);
    this.#schedule();
  }

  /** A call waits for a person, or was answered: what this person may do about it is asked for. */
  async asked() {
    const state = await fetchState(this.run, MAX_SEQ).catch(() => null);
    if (!state) return;
    this.#approvals = state.approvals;
    this.hear(state.run);
    this.requestUpdate();
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
    try {
      let after = -1;
      for (let page = 0, more = true; more && page < 50; page += 1) {
        const state = await fetchState(this.run, after);
        for (const step of state.steps) this.#tree.put(step);
        after = state.steps.at(-1)?.seq ?? after;
        more = state.has_more;
        this.#approvals = state.approvals;
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
  }

  // A snapshot may be older than news that came while it was on its way: what has ended stays ended.
  #hearLoaded(run) {
    if (!this.isFinal || FINAL.has(run.status)) this.run = { ...this.run, ...run };
    if (this.isFinal) this.#tree.settle(OPEN_STEPS_BECOME[this.run.status]);
    this.#followLife();
  }

  // --- what is followed while the run is at work ---------------------------------------------------------------------

  #followLife() {
    if (this.isFinal || !this.isConnected) return this.#stopWatching();
    if (!this.isOpen) return;
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
    const step = this.#tree.get(step_id);
    if (step && step.status !== "running") return;
    const said = (this.#texts.get(step_id) ?? "") + text;
    this.#texts.set(step_id, said.length > KEEP_TEXT ? said.slice(-KEEP_TEXT) : said);
    this.#schedule();
  }

  // Tokens come faster than anybody reads: the tree is painted at most sixteen times a second.
  #schedule() {
    this.#paint ??= setTimeout(() => {
      this.#paint = null;
      this.requestUpdate();
    }, PAINT_MS);
  }

  updated() {
    const scroller = this.querySelector(":scope .steps");
    if (scroller && this.#isFollowing && !this.isFinal) scroller.scrollTop = scroller.scrollHeight;
    for (const text of this.querySelectorAll(".step-stream")) text.scrollTop = text.scrollHeight;
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
      this.#approvals = await decide(this.run, item.step_id, verdict, text);
    } catch (error) {
      this.problem = error.message;
    } finally {
      this.#isActing = false;
      this.requestUpdate();
    }
  }

  async #stopStep(step) {
    this.problem = "";
    try {
      await steer(runUrl(this.run, "steer/"), new URLSearchParams({ kind: "stop_step", step_id: step.id }));
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

  #toggleDetail(id) {
    if (this.#details.has(id)) this.#details.delete(id);
    else this.#loadDetail(id);
    this.requestUpdate();
  }

  async #loadDetail(id) {
    if (!this.#details.has(id)) this.#details.set(id, "");
    try {
      const markup = await fetchDetail(this.run, id);
      if (this.#details.has(id)) this.#details.set(id, markup);
    } catch (error) {
      if (this.#details.has(id)) this.#details.set(id, null);
      this.problem = `This step could not be opened: ${error.message}`;
    }
    this.requestUpdate();
  }

  #keydown(event, rows) {
    if (event.target !== event.currentTarget && !event.target.matches('[role="treeitem"]')) return;
    const at = Math.max(0, rows.findIndex((row) => row.id === this.focusId));
    const row = rows[at];
    const moves = { ArrowDown: Math.min(rows.length - 1, at + 1), ArrowUp: Math.max(0, at - 1), Home: 0, End: rows.length - 1 };
    if (event.key in moves) this.#focus(rows[moves[event.key]]?.id);
    else if (event.key === "Enter" || event.key === " ") this.#activate(row);
    else if (event.key === "ArrowRight") this.#expand(row, rows, at);
    else if (event.key === "ArrowLeft") this.#collapse(row, rows, at);
    else return;
    event.preventDefault();
  }

  #activate(row) {
    if (row?.fold) this.#tree.unfold(row.parent);
    else if (row) this.#toggleDetail(row.id);
    this.requestUpdate();
  }

  #expand(row, rows, at) {
    if (!row || row.fold) return this.#activate(row);
    const isParent = this.#tree.childCount(row.id) > 0;
    if (isParent && this.#tree.isCollapsed(row.id)) this.#tree.toggle(row.id, false);
    else if (isParent) this.#focus(rows[at + 1]?.id);
    else if (!this.#details.has(row.id)) this.#toggleDetail(row.id);
    this.requestUpdate();
  }

  #collapse(row, rows, at) {
    if (!row) return;
    if (this.#details.has(row.id)) this.#toggleDetail(row.id);
    else if (!row.fold && this.#tree.childCount(row.id) > 0 && !this.#tree.isCollapsed(row.id)) this.#tree.toggle(row.id, true);
    else this.#focus(rows.slice(0, at).findLast((other) => other.level < row.level)?.id);
    this.requestUpdate();
  }

  #focus(id) {
    if (!id) return;
    this.focusId = id;
    this.updateComplete.then(() => this.querySelector(`[data-step="${CSS.escape(id)}"]`)?.focus());
  }

  // --- what is seen -------------------------------------------------------------------------------------------------

  get may() {
    const { role, userId } = document.body.dataset;
    const rank = ROLES.indexOf(role);
    const isOwn = String(this.run.requested_by_id) === userId;
    return this.rights ?? { cancel: rank >= 2 || (rank === 1 && isOwn), retry: rank >= 1, priorities: null };
  }

  render() {
    const { run } = this;
    const status = statusOf(run);
    const at = this.#controls();
    return html`
      <div class="run-head" data-live>
        <span class="avatar agent" aria-hidden="true">${icon("bot")}</span>
        <div class="grow">
          <div class="row"><strong>@${run.agent}</strong>
            <span class="badge ${status.level}" role="status">${status.icon()}${status.words}</span>${priorityBadge(run)}</div>
          ${this.isPage ? nothing : html`<div class="run-goal">${visible(run.goal ?? "", 300)}</div>`}
        </div>
        <div class="row run-actions">${buttons(run, this.may, at)}</div>
      </div>
      <div class="run-facts small muted">${this.#facts()}</div>
      ${run.suspend_words ? html`<p class="run-note small">${run.suspend_words}</p>` : nothing}
      ${this.#failure()}
      ${run.answer ? html`<div class="run-answer plain-text" tabindex=${this.isPage ? nothing : 0} role="group" aria-label="Answer of @${run.agent}">${prose(visible(run.answer, 100_000), run.workspace_id)}</div>` : nothing}
      ${this.isFinal ? nothing : approvals(run, this.#approvals, { isActing: this.#isActing, answer: (...given) => this.#answer(...given) })}
      ${this.problem ? html`<div class="run-error" role="alert"><p>${visible(this.problem)}</p></div>` : nothing}
      ${this.isOpen && this.#isLoaded ? this.#steps() : nothing}
      ${this.isPage ? nothing : html`<run-children .parent=${run} .known=${this.#children}></run-children>`}
      <div class="run-foot row">${this.#links()}${this.may.cancel ? priorityChoice(run, this.may.priorities, at) : nothing}</div>`;
  }

  #facts() {
    const { run } = this;
    const started = Date.parse(run.started_at ?? "");
    const stoodStillAt = Date.parse(run.finished_at ?? (run.status === "suspended" ? run.suspended_at : null) ?? "");
    const ms = Number.isNaN(started) ? null : Math.max(0, (Number.isNaN(stoodStillAt) ? this.now : stoodStillAt) - started);
    const used = run.input_tokens + run.output_tokens;
    const facts = [run.model, ms === null ? "" : duration(run.finished_at ? ms : Math.floor(ms / 1000) * 1000), tokens(used)];
    if (used > 0) facts.push(cost(run.cost_usd));
    if (!this.isFinal && run.tokens_per_s > 0) facts.push(`${run.tokens_per_s} tokens/s`);
    if (run.attempts > 1) facts.push(`attempt ${run.attempts}`);
    return facts.filter(Boolean).map((fact) => html`<span>${fact}</span>`);
  }

  #controls() {
    return { isFinal: this.isFinal, isBusy: this.#isActing, wasTriedAgain: Boolean(this.again), act: (what, fields) => this.#act(what, fields) };
  }

  #failure() {
    const { run } = this;
    if (!run.error_message || !this.isFinal || run.status === "finished") return nothing;
    const isQuiet = run.status === "cancelled";
    return html`<div class="run-error ${isQuiet ? "is-quiet" : ""}"><p>${visible(run.error_message)}</p>
      ${run.advice ? html`<p class="small">${run.advice}</p>` : nothing}</div>`;
  }

  #links() {
    const { run } = this;
    return html`
      ${this.isPage ? nothing : html`<button type="button" class="button" aria-expanded=${this.isOpen ? "true" : "false"} @click=${this.toggleOpen}>
          ${icon("activity")}${this.isOpen ? "Hide steps" : "Steps"}</button>
        <a class="button quiet" href=${runUrl(run)}>Open</a>`}
      ${this.again ? html`<a class="button" href=${runUrl(this.again)}>${icon("rotate-ccw")}Tried again</a>` : nothing}
      ${run.review_id ? html`<a class="button primary" href=${`/w/${run.workspace_id}/reviews/${run.review_id}/`}>${icon("git-pull-request-arrow")}Review the changes</a>` : nothing}`;
  }

  #steps() {
    const rows = this.#tree.rows();
    if (rows.length === 0) {
      const waits = { queued: "Waiting for a worker.", suspended: "Nothing was done before it was suspended." };
      const words = waits[this.run.status] ?? (this.isFinal ? "It ended before its first step." : "Starting.");
      return html`<p class="steps-none small muted">${words}</p>`;
    }
    const focusId = rows.some((row) => row.id === this.focusId) ? this.focusId : rows[0].id;
    return html`<div class="steps" role="tree" aria-label="Steps of @${this.run.agent}" @keydown=${(event) => this.#keydown(event, rows)} @scroll=${this.#scrolled}>
      ${repeat(rows, (row) => row.id, (row) => guard(this.#seenOf(row, focusId), () => (row.fold ? foldRow(row, this.#view(row, focusId)) : stepRow(row, this.#view(row, focusId)))))}</div>`;
  }

  // All that a row shows. Of two thousand rows few change between two paints; the others are not even looked at.
  #seenOf(row, focusId) {
    const { id } = row;
    return [row.step, row.hidden, row.level, row.position, row.count, id === focusId, this.#tree.childCount(id), this.#tree.isCollapsed(id), this.#texts.get(id), this.#details.get(id), this.#mayStop(row), this.#isAsked(id)];
  }

  #mayStop({ step }) {
    return step?.status === "running" && this.may.cancel && !this.isFinal;
  }

  #isAsked(id) {
    return this.#approvals.some((item) => item.is_open && item.step_id === id);
  }

  #view(row, focusId) {
    return {
      runId: this.run.id,
      isFocus: row.id === focusId,
      isAsked: this.#isAsked(row.id),
      childCount: this.#tree.childCount(row.id),
      isCollapsed: this.#tree.isCollapsed(row.id),
      text: this.#texts.get(row.id),
      detail: this.#details.get(row.id),
      focused: () => (this.focusId = row.id),
      stop: this.#mayStop(row) ? () => this.#stopStep(row.step) : null,
      activate: () => this.#activate(row),
      twist: () => {
        this.#tree.toggle(row.id);
        this.requestUpdate();
      },
    };
  }

  #scrolled = ({ currentTarget: box }) => {
    this.#isFollowing = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  };
}

customElements.define("run-card", RunCard);
