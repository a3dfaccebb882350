// A call that waits for a person: the tool, its arguments, the rule that asks, and a yes or no.
import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { visible } from "./format.js";
import { icon } from "./icons.js";

/** `answer(item, verdict, text)` is called once for each press. */
export function approvals(run, items, { isActing, answer }) {
  const open = items.filter((item) => item.is_open);
  if (open.length === 0) return nothing;
  return html`<div role="status">${repeat(open, (item) => item.step_id, (item) => html`<section class="approval" aria-label="@${run.agent} asks">
    <p><strong>May it run <code>${visible(item.tool, 100)}</code>?</strong> ${visible(item.reason)} <span class="small muted">Rule “${visible(item.rule, 200)}”</span></p>
    <pre tabindex="0" aria-label="Arguments">${item.arguments}</pre>
    ${item.may_decide ? form(run, item, isActing, answer) : html`<p class="small muted">${item.needs_maintainer ? "A maintainer answers this." : "Who called the agent answers this, or a maintainer."}</p>`}
  </section>`)}</div>`;
}

function form(run, item, isActing, answer) {
  const id = `say-${run.id}-${item.step_id}`;
  const submit = (event) => {
    event.preventDefault();
    answer(item, event.submitter?.value ?? "deny", new FormData(event.currentTarget).get("text") ?? "");
  };
  return html`<form class="row" @submit=${submit}>
    <label class="visually-hidden" for=${id}>What the agent is told with a no</label>
    <input id=${id} name="text" maxlength="2000" placeholder="Why not (with a no)">
    <button class="button primary" type="submit" value="approve" ?disabled=${isActing}>${icon("check")}Approve</button>
    <button class="button danger" type="submit" value="deny" ?disabled=${isActing}>${icon("circle-slash")}Deny</button></form>`;
}
