// Forms by which people steer a run, sent without leaving the page. Without scripts the same forms post and come back.
import { steer } from "./http.js";

const SAID = { stop_step: "It is being stopped; the run goes on.", redirect: "It is being redirected.", message: "Told. It hears this before its next step.", answer: "Told. It hears this before its next step." };

async function send(form, submitter) {
  const said = form.querySelector("[data-said]");
  const buttons = [...form.querySelectorAll("button")];
  const body = new URLSearchParams(new FormData(form, submitter));
  for (const button of buttons) button.disabled = true;
  said.textContent = "";
  try {
    const { run } = await steer(form.action, body);
    if (run) return location.assign(`/w/${run.workspace_id}/runs/${run.id}/`);
    said.textContent = SAID[body.get("kind")] ?? "Told.";
    form.querySelector("textarea")?.form.reset();
  } catch (error) {
    said.textContent = error.message;
  }
  for (const button of buttons) button.disabled = false;
  submitter?.focus();
}

/** The run has ended: nothing can be told any more, but what somebody was writing stays to be copied. */
export function endTelling() {
  const tell = document.getElementById("tell-agent");
  const text = tell?.querySelector("textarea");
  if (!text?.value.trim()) return tell?.remove();
  text.readOnly = true;
  for (const button of tell.querySelectorAll("button")) button.remove();
  tell.querySelector("[data-said]").textContent = "The run has ended, and this was not told. You can still copy it.";
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-steer]");
  if (!form) return;
  event.preventDefault();
  send(form, event.submitter);
});
