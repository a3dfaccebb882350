// What a person may do with a run, by how it stands: stop it, suspend it, let it go on, try it again, say how urgent it is.
import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";

import { icon } from "./icons.js";

const PRIORITIES = { critical: "Critical", high: "High", standard: "Standard", low: "Low" };
const HOLDABLE = new Set(["queued", "running", "suspending"]);

/** Return the buttons; `at` says `isFinal`, `isBusy`, `wasTriedAgain`, and `act(what)` does it. */
export function buttons(run, may, at) {
  if (at.isFinal) {
    const isOffered = run.status !== "finished" && may.retry && !at.wasTriedAgain;
    return isOffered ? button(at, "retry", icon("rotate-ccw"), "Try again") : nothing;
  }
  if (!may.cancel) return nothing;
  return html`${holdButton(run, at)}${button(at, "cancel", icon("square"), "Stop", run.status === "cancelling")}`;
}

function holdButton(run, at) {
  if (run.may_resume) return button(at, "resume", icon("play"), "Resume");
  if (HOLDABLE.has(run.status)) return button(at, "suspend", icon("pause"), "Suspend", run.status === "suspending");
  return nothing;
}

// One template for all of them: a button that turns into another keeps the keyboard's focus.
function button(at, what, image, words, isOff = false) {
  return html`<button type="button" class="button" ?disabled=${at.isBusy || isOff} @click=${() => at.act(what)}>${image}${words}</button>`;
}

/** Return the choice of how urgent the run is, nothing for who may not choose. */
export function priorityChoice(run, priorities, at) {
  if (at.isFinal || !priorities?.length) return nothing;
  const offered = priorities.includes(run.priority) ? priorities : [run.priority, ...priorities];
  // `live`: a choice that the server refused falls back to what it is.
  return html`<label class="run-priority small">Priority
    <select .value=${live(run.priority)} ?disabled=${at.isBusy} @change=${(event) => at.act("priority", { priority: event.target.value })}>
      ${offered.map((name) => html`<option value=${name} ?selected=${name === run.priority}>${PRIORITIES[name]}</option>`)}
    </select></label>`;
}

/** Return the badge of a priority that is not the usual one. */
export function priorityBadge(run) {
  if (!run.priority || run.priority === "standard") return nothing;
  return html`<span class="badge ${run.priority === "critical" ? "bad" : ""}">${PRIORITIES[run.priority]}<span class="visually-hidden"> priority</span></span>`;
}
