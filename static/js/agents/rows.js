// How the rows of a reasoning tree look: a step with its facts, text and detail, and the fold in a long list.
import { html, nothing } from "lit";
import { unsafeHTML } from "lit/directives/unsafe-html.js";

import { cost, duration, tokens, visible } from "./format.js";
import { icon, KINDS, STEP_STATUS } from "./icons.js";

const DEEPEST = 8;

export function foldRow(row, view) {
  return html`<div class="step is-fold level-${Math.min(row.level, DEEPEST)}" role="treeitem" aria-level=${row.level} aria-selected="false" data-step=${row.id}
    tabindex=${view.isFocus ? 0 : -1} @focus=${view.focused} @click=${view.activate}>
    <div class="step-line">${icon("ellipsis")}<span>Show more of ${row.hidden} earlier steps</span></div></div>`;
}

export function stepRow({ step, level, position, count }, view) {
  const isDetailOpen = view.detail !== undefined;
  const isExpanded = view.childCount > 0 ? !view.isCollapsed : isDetailOpen;
  const nameId = `t-${view.runId}-${step.id}`;
  return html`<div class="step level-${Math.min(level, DEEPEST)} is-${step.status}" role="treeitem" data-step=${step.id} aria-level=${level} aria-posinset=${position}
    aria-setsize=${count} aria-expanded=${isExpanded ? "true" : "false"} aria-selected="false" aria-labelledby=${nameId} tabindex=${view.isFocus ? 0 : -1} @focus=${view.focused}>
    <div class="step-line" @click=${view.activate}>${twisty(view, isExpanded)}${name(step, nameId, view)}${facts(step, view)}${stop(step, view)}</div>
    ${view.text && step.status === "running" ? html`<pre class="step-stream" tabindex="0" aria-label="What the model writes">${visible(view.text)}</pre>` : nothing}
    ${isDetailOpen ? detail(view.detail) : nothing}
  </div>`;
}

// Reached by Tab from the row that has the focus.
function stop(step, view) {
  if (!view.stop) return nothing;
  const press = (event) => {
    event.stopPropagation();
    view.stop();
  };
  return html`<button type="button" class="step-stop" tabindex=${view.isFocus ? 0 : -1} aria-label="Stop “${visible(step.title, 80)}”" title="Stop this step" @click=${press}>${icon("square")}</button>`;
}

function twisty(view, isExpanded) {
  if (!view.childCount) return html`<span class="step-twisty is-empty"></span>`;
  const twist = (event) => {
    event.stopPropagation();
    view.twist();
  };
  return html`<span class="step-twisty ${isExpanded ? "is-open" : ""}" @click=${twist}>${icon("chevron-right")}</span>`;
}

function name(step, nameId, view) {
  const kind = KINDS[step.kind] ?? KINDS.thought;
  const status = STEP_STATUS[view.isAsked ? "asked" : step.status] ?? STEP_STATUS.running;
  return html`<span class="step-name" id=${nameId}><span class="step-kind" title=${kind.words}>${kind.icon()}<span class="visually-hidden">${kind.words}:</span></span>
    <span class="step-title">${visible(step.title, 300)}</span><span class="visually-hidden">, ${status.words}</span></span>`;
}

function facts(step, view) {
  const status = STEP_STATUS[view.isAsked ? "asked" : step.status] ?? STEP_STATUS.running;
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
