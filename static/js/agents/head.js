// What a card says of its run around the tree: who, how it stands, what it used, why it failed, its answer, where it leads.
import { html, nothing } from "lit";

import { buttons, priorityBadge, priorityChoice } from "./controls.js";
import { cost, duration, tokens, visible } from "./format.js";
import { runUrl } from "./http.js";
import { icon, statusOf } from "./icons.js";
import { prose } from "./prose.js";

/** Return the first line: the agent, its status and goal, and what may be done; `card` says `isPage`, `may`, `controls`. */
export function head(run, { isPage, may, controls }) {
  const status = statusOf(run);
  return html`<div class="run-head" data-live>
    <span class="avatar agent" aria-hidden="true">${icon("bot")}</span>
    <div class="grow">
      <div class="row"><strong>@${run.agent}</strong>
        <span class="badge ${status.level}" role="status">${status.icon()}${status.words}</span>${priorityBadge(run)}</div>
      ${isPage ? nothing : html`<div class="run-goal">${visible(run.goal ?? "", 300)}</div>`}
    </div>
    <div class="row run-actions">${buttons(run, may, controls)}</div>
  </div>`;
}

/** Return the model, the time, tokens and cost; `now` is the time in ms since 1970. */
export function facts(run, { isFinal, now }) {
  const started = Date.parse(run.started_at ?? "");
  const stoodStillAt = Date.parse(run.finished_at ?? (run.status === "suspended" ? run.suspended_at : null) ?? "");
  const ms = Number.isNaN(started) ? null : Math.max(0, (Number.isNaN(stoodStillAt) ? now : stoodStillAt) - started);
  const used = run.input_tokens + run.output_tokens;
  const whole = run.finished_at ? ms : Math.floor(ms / 1000) * 1000 || null;
  const words = [run.model, ms === null ? "" : duration(whole), tokens(used)];
  if (used > 0) words.push(cost(run.cost_usd));
  if (!isFinal && run.tokens_per_s > 0) words.push(`${run.tokens_per_s} tokens/s`);
  if (run.attempts > 1) words.push(`attempt ${run.attempts}`);
  return html`<div class="run-facts small muted">${words.filter(Boolean).map((fact) => html`<span>${fact}</span>`)}</div>
    ${run.suspend_words ? html`<p class="run-note small">${run.suspend_words}</p>` : nothing}`;
}

/** Return why the run failed, and what helps. */
export function failure(run, { isFinal }) {
  if (!run.error_message || !isFinal || run.status === "finished") return nothing;
  const isQuiet = run.status === "cancelled";
  return html`<div class="run-error ${isQuiet ? "is-quiet" : ""}"><p>${visible(run.error_message)}</p>
    ${run.advice ? html`<p class="small">${run.advice}</p>` : nothing}</div>`;
}

/** Return the run's answer; in a card it scrolls, so that the keyboard must reach it. */
export function answer(run, { isPage }) {
  if (!run.answer) return nothing;
  const words = prose(visible(run.answer, 100_000), run.workspace_id);
  return html`<div class="run-answer plain-text" tabindex=${isPage ? nothing : 0} role="group" aria-label="Answer of @${run.agent}">${words}</div>`;
}

/** Return what stands in place of a tree without steps. */
export function noSteps(run, { isFinal }) {
  const waits = { queued: "Waiting for a worker.", suspended: "Nothing was done before it was suspended." };
  const words = waits[run.status] ?? (isFinal ? "It ended before its first step." : "Starting.");
  return html`<p class="steps-none small muted">${words}</p>`;
}

/** Return what helps with a long tree, of which only the rows in view stand in the page. */
export function manySteps(run, count) {
  return html`<p class="steps-note small muted">${count.toLocaleString()} steps. The browser’s search finds only what is in view: the <a href=${runUrl(run, "log/")}>log</a> has all of them as text.</p>`;
}

/** Return the last line: the steps' switch, the next try, the review, and how urgent the run is. */
export function foot(run, { isPage, isOpen, again, may, controls, toggle }) {
  const opening = html`<button type="button" class="button" aria-expanded=${isOpen ? "true" : "false"} @click=${toggle}>
      ${icon("activity")}${isOpen ? "Hide steps" : "Steps"}</button>
    <a class="button quiet" href=${runUrl(run)}>Open</a>`;
  return html`<div class="run-foot row">${isPage ? nothing : opening}
    ${again ? html`<a class="button" href=${runUrl(again)}>${icon("rotate-ccw")}Tried again</a>` : nothing}
    ${run.review_id ? html`<a class="button primary" href=${`/w/${run.workspace_id}/reviews/${run.review_id}/`}>${icon("git-pull-request-arrow")}Review the changes</a>` : nothing}
    ${may.cancel ? priorityChoice(run, may.priorities, controls) : nothing}</div>`;
}
