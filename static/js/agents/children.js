// <run-children .parent .known>: the runs that a run asked for, in its card: each with its status, its run page and its change set, live.
// A run that was asked for by another has no card of its own in a channel; this is its place there.
import { LitElement, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { events } from "../events.js";
import { visible } from "./format.js";
import { runUrl } from "./http.js";
import { icon, statusOf } from "./icons.js";

const FINAL = new Set(["finished", "failed", "cancelled", "dead"]);

class RunChildren extends LitElement {
  static properties = { parent: { attribute: false }, known: { attribute: false }, shown: { state: true } };

  #unsubscribe = [];

  constructor() {
    super();
    this.known = [];
    this.shown = new Map();
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#unsubscribe = [
      events.on("RunQueued", ({ run }) => this.#hear(run)),
      events.on("RunChanged", ({ run }) => this.#hear(run)),
      events.on("ReviewOpened", ({ run_id: id, change_set_id }) => this.shown.has(id) && this.#put({ id, review_id: change_set_id })),
    ];
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const off of this.#unsubscribe) off();
  }

  willUpdate(changed) {
    if (changed.has("known")) for (const run of this.known) this.#put(run);
  }

  #hear(run) {
    if (run.parent === this.parent.id) this.#put(run);
  }

  // What has ended stays ended: a snapshot may be older than news that came while it was on its way.
  #put(run) {
    const before = this.shown.get(run.id);
    if (before && FINAL.has(before.status) && run.status && !FINAL.has(run.status)) return;
    this.shown = new Map(this.shown).set(run.id, { ...before, ...run });
  }

  render() {
    if (this.shown.size === 0) return nothing;
    return html`<section class="run-children" aria-label="Agents that @${this.parent.agent} asked" data-live>
      <p class="small muted">Asked by @${this.parent.agent}</p>
      <ul>${repeat(this.shown.values(), (run) => run.id, row)}</ul></section>`;
  }
}

function row(run) {
  const status = statusOf(run);
  const goal = visible(run.goal ?? "");
  const review = run.review_id
    ? html`<a class="button" href=${`/w/${run.workspace_id}/reviews/${run.review_id}/`}>${icon("git-pull-request-arrow")}Review<span class="visually-hidden"> of @${run.agent}: ${goal}</span></a>`
    : nothing;
  return html`<li data-run=${run.id}><a class="lineage-line grow" href=${runUrl(run)}><strong>@${run.agent}</strong> <span class="truncate grow">${goal}</span>
    <span class="badge ${status.level}">${status.icon()}${status.words}</span></a>${review}</li>`;
}

customElements.define("run-children", RunChildren);
