// How the rows of a reasoning tree look: a step with its facts, text and detail, and the fold in a long list. What is
// pressed says so by its class; the tree that holds the rows listens.
import { html, nothing, render } from "lit";
import { unsafeHTML } from "lit/directives/unsafe-html.js";

import { cost, duration, tokens, visible } from "./format.js";
import { icon, KINDS, STEP_STATUS } from "./icons.js";

const DEEPEST = 8;

/** Say on a row's element what it is and where: what changes for all siblings when one comes. */
export function placeRow(element, row, view) {
  const common = { role: "treeitem", "data-step": row.id, "aria-level": row.level, "aria-selected": "false", tabindex: view.isFocus ? 0 : -1 };
  const level = `level-${Math.min(row.level, DEEPEST)}`;
  if (row.fold) dress(element, { ...common, class: `step is-fold ${level}` });
  else dress(element, { ...common, class: `step ${level} is-${row.step.status}`, ...place(row, view) });
}

/** Write what a row shows into its element. */
export function fillRow(element, row, view) {
  render(row.fold ? fold(row) : step(row.step, view), element);
}

function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

const nameId = (id, view) => `t-${view.runId}-${id}`;
const isExpanded = (view) => (view.childCount > 0 ? !view.isCollapsed : view.detail !== undefined);

// Said in full, since the siblings and the parent may not stand in the page.
function place({ id, position, count }, view) {
  return { "aria-posinset": position, "aria-setsize": count, "aria-expanded": isExpanded(view), "aria-labelledby": nameId(id, view) };
}

function fold({ hidden }) {
  return html`<div class="step-line">${icon("ellipsis")}<span>Show more of ${hidden} earlier steps</span></div>`;
}

function step(step, view) {
  return html`<div class="step-line">${twisty(view)}${name(step, view)}${facts(step, view)}${stop(step, view)}</div>
    ${view.text === undefined ? nothing : html`<pre class="step-stream" tabindex="0" aria-label="What the model writes">${visible(view.text)}</pre>`}
    ${view.detail === undefined ? nothing : detail(view.detail)}`;
}

// Reached by Tab from the row that has the focus.
function stop(step, view) {
  if (!view.mayStop) return nothing;
  return html`<button type="button" class="step-stop" tabindex=${view.isFocus ? 0 : -1} aria-label="Stop “${visible(step.title, 80)}”" title="Stop this step">${icon("square")}</button>`;
}

function twisty(view) {
  if (!view.childCount) return html`<span class="step-twisty is-empty"></span>`;
  return html`<span class="step-twisty ${isExpanded(view) ? "is-open" : ""}">${icon("chevron-right")}</span>`;
}

function name(step, view) {
  const kind = KINDS[step.kind] ?? KINDS.thought;
  return html`<span class="step-name" id=${nameId(step.id, view)}><span class="step-kind" title=${kind.words}>${kind.icon()}<span class="visually-hidden">${kind.words}:</span></span>
    <span class="step-title">${visible(step.title, 300)}</span><span class="visually-hidden">, ${statusOf(step, view).words}</span></span>`;
}

const statusOf = (step, view) => STEP_STATUS[view.isAsked ? "asked" : step.status] ?? STEP_STATUS.running;

function facts(step, view) {
  const status = statusOf(step, view);
  const used = step.input_tokens + step.output_tokens;
  return html`<span class="step-facts small">
    ${used ? html`<span class="hide-on-phone">${tokens(used)}</span><span class="hide-on-phone">${cost(step.cost_usd)}</span>` : nothing}
    <span>${duration(step.duration_ms)}</span>
    <span class="step-status">${status.icon()}<span class=${step.status === "ok" ? "visually-hidden" : ""}>${status.words}</span></span>
  </span>`;
}

function detail(markup) {
  if (markup === null) return html`<p class="step-detail muted">It could not be loaded.</p>`;
  // Made by the server's template, which escapes everything that an agent wrote.
  return markup === "" ? html`<p class="step-detail muted">Loading…</p>` : unsafeHTML(markup);
}
