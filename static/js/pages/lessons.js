// The list of lessons, live: its body is fetched again when something was learned, changed or taken away.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";

const QUIET_MS = 200;
const said = document.getElementById("lessons-said");
let timer = null;

async function refresh() {
  const html = await fragment(location.href);
  if (html === null) return;
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("lessons-body");
  const old = document.getElementById("lessons-body");
  if (!fresh || !old) return;
  // Whoever stands on a link or button of the body stands on the same one afterwards.
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const name = active && (active.getAttribute("href") ?? active.getAttribute("aria-label"));
  old.replaceWith(document.adoptNode(fresh));
  if (name) [...fresh.querySelectorAll("a, button")].find((one) => (one.getAttribute("href") ?? one.getAttribute("aria-label")) === name)?.focus();
  document.body.dataset.lessonsAt = String(Date.now());
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, QUIET_MS);
}

events.on("LessonChanged", ({ pattern, change }) => {
  if (change === "learned") said.textContent = `Learned: ${pattern}`;
  soon();
});
events.on("LessonDeleted", soon);
events.onResync(() => location.reload());
