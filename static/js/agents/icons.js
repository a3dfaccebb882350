// Icons of the sprite, for islands. Names stand literally in calls of `icon`, so that the build finds them.
import { html, svg } from "lit";

let sprite = null;

function spriteUrl() {
  sprite ??= document.querySelector('svg.icon use[href*="#"]')?.getAttribute("href").split("#")[0] ?? "";
  return sprite;
}

/** Return an icon; it is hidden from screen readers, so words stand beside it. */
export function icon(name) {
  return html`<svg class="icon" aria-hidden="true">${svg`<use href=${`${spriteUrl()}#${name}`}></use>`}</svg>`;
}

const STATUS = {
  queued: { words: "Queued", level: "", icon: () => icon("clock") },
  queuedAgain: { words: "Queued again", level: "warn", icon: () => icon("clock") },
  suspending: { words: "Suspending", level: "accent", icon: () => icon("loader-circle") },
  suspended: { words: "Suspended", level: "warn", icon: () => icon("pause") },
  running: { words: "Running", level: "accent", icon: () => icon("loader-circle") },
  cancelling: { words: "Stopping", level: "accent", icon: () => icon("loader-circle") },
  finished: { words: "Finished", level: "good", icon: () => icon("circle-check") },
  failed: { words: "Failed", level: "bad", icon: () => icon("circle-x") },
  cancelled: { words: "Cancelled", level: "", icon: () => icon("circle-slash") },
  dead: { words: "Given up", level: "bad", icon: () => icon("skull") },
};

/** Return how a run stands, as its badge says it. */
export function statusOf(run) {
  if (run.status === "queued" && run.suspend_reason) return STATUS.queuedAgain;
  return STATUS[run.status] ?? STATUS.queued;
}

export const STEP_STATUS = {
  asked: { words: "waits for a yes", icon: () => icon("hand") },
  running: { words: "running", icon: () => icon("loader-circle") },
  ok: { words: "done", icon: () => icon("check") },
  failed: { words: "failed", icon: () => icon("circle-x") },
  cancelled: { words: "cut off", icon: () => icon("circle-slash") },
};

export const KINDS = {
  thought: { words: "Thought", icon: () => icon("lightbulb") },
  plan: { words: "Plan", icon: () => icon("list-checks") },
  model_call: { words: "Model call", icon: () => icon("sparkles") },
  tool_call: { words: "Tool call", icon: () => icon("wrench") },
  command: { words: "Command", icon: () => icon("terminal") },
  test_run: { words: "Test run", icon: () => icon("flask-conical") },
  audit: { words: "Audit", icon: () => icon("gauge") },
  delegation: { words: "Delegation", icon: () => icon("bot") },
  person: { words: "A person", icon: () => icon("user") },
  proposal: { words: "Proposal", icon: () => icon("git-pull-request-arrow") },
};
