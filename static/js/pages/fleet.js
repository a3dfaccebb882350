// The fleet page, live: its body is fetched again every two seconds while somebody looks, and at once when a run of this
// workspace changes. It is morphed, so that the keyboard's focus and an open choice stay where they are.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";
import { notify } from "../lib/notify.js";
import { localTimes } from "../lib/when.js";

const EVERY_MS = 2_000;
const QUIET_MS = 150;
const body = () => document.getElementById("fleet-body");
let timer = null;
let isFetching = false;
let isStale = false;

async function refresh() {
  if (isFetching) {
    isStale = true;
    return;
  }
  isFetching = true;
  const text = (await fragment(location.href)) ?? "";
  // Whoever was signed out meanwhile is answered with another page.
  const isFleet = text.includes('id="fleet-body"');
  if (isFleet) {
    await window.htmx.swap({ sourceElement: body(), target: body(), text, swap: "outerMorph" });
    localTimes(body());
  }
  // A server that is away is said to be: what stands there was true a while ago.
  body().classList.toggle("is-stale", !isFleet);
  isFetching = false;
  if (isStale) {
    isStale = false;
    soon();
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, QUIET_MS);
}

setInterval(() => document.visibilityState === "visible" && refresh(), EVERY_MS);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && soon());
events.on("RunQueued", soon);
events.on("RunChanged", soon);
events.onResync(soon);

// What a person does here is done in place; without scripts the same forms lead to the run's page.
document.addEventListener("change", (event) => event.target.closest?.("form[data-auto]")?.requestSubmit());
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !body().contains(form)) return;
  event.preventDefault();
  const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  const reply = await fetch(form.action, { method: "POST", headers, body: new URLSearchParams(new FormData(form)) }).catch(() => null);
  delete form.dataset.isSent;
  if (!reply?.ok) {
    const error = await reply?.json().catch(() => null);
    notify(error?.error?.message ?? "The server cannot be reached. Nothing was changed; try again.", "bad");
    form.reset();
  }
  refresh();
});
