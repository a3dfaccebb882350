// The pages of unattended work, live: their body is fetched again when something was changed, started or has ended.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";
import { localTimes } from "../lib/when.js";

const QUIET_MS = 200;
let timer = null;

async function refresh() {
  const html = await fragment(location.href, { "X-Requested-With": "unattended" });
  if (html === null) return;
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("unattended-body");
  const old = document.getElementById("unattended-body");
  if (!fresh || !old) return;
  // Whoever stands on a link or button stands on the same one afterwards.
  const at = [...old.querySelectorAll("a, button")].indexOf(document.activeElement);
  const open = [...old.querySelectorAll("details[open] summary")].map((summary) => summary.textContent);
  for (const summary of fresh.querySelectorAll("details summary")) {
    if (open.includes(summary.textContent)) summary.parentElement.open = true;
  }
  old.replaceWith(fresh);
  localTimes(fresh);
  if (at >= 0) fresh.querySelectorAll("a, button")[at]?.focus();
  document.getElementById("unattended-said").textContent = "The page shows what has just happened.";
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, QUIET_MS);
}

events.on("UnattendedChanged", ({ kind, item_id: itemId }) => {
  const shown = document.getElementById("unattended-body").dataset;
  if (!shown.item || (shown.kind === kind && shown.item === String(itemId))) soon();
});
events.on("RunChanged", ({ run_id: runId }) => {
  if (document.querySelector(`#unattended-body a[href*="${CSS.escape(runId)}"]`)) soon();
});
events.onResync(() => location.reload());
