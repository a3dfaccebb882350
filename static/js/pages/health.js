// The health pages, live: their body is fetched again when files change, and long measurements show how far they are.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";

const said = document.getElementById("health-said");
const QUIET_MS = 200;
let timer = null;
let isFetching = false;
let isStale = false;

// Whoever stands on a link of the body stands on the same link afterwards.
async function refresh() {
  if (isFetching) {
    isStale = true;
    return;
  }
  isFetching = true;
  const html = await fragment(location.href);
  isFetching = false;
  const old = document.getElementById("health-body");
  const fresh = html && new DOMParser().parseFromString(html, "text/html").getElementById("health-body");
  if (fresh) {
    const place = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const isOpen = old.querySelector("details")?.open;
    old.replaceWith(fresh);
    const details = fresh.querySelector("details");
    if (details && isOpen) details.open = true;
    if (place) [...fresh.querySelectorAll("a")].find((link) => link.getAttribute("href") === place)?.focus();
    document.body.dataset.healthAt = String(Date.now());
  }
  if (isStale) {
    isStale = false;
    refreshSoon();
  }
}

function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, QUIET_MS);
}

const measurements = document.getElementById("health-measurements");

async function refreshMeasurements() {
  const html = await fragment(measurements.dataset.url);
  if (html === null) return;
  const hadFocus = measurements.contains(document.activeElement);
  measurements.innerHTML = html;
  if (hadFocus) (measurements.querySelector("button") ?? document.getElementById("main")).focus();
}

const shownPath = () => document.getElementById("health-body").dataset.path;

events.on("HealthChanged", ({ paths }) => {
  if (!shownPath() || !paths.length || paths.includes(shownPath())) refreshSoon();
});
events.on("HealthLimitsChanged", refreshSoon);
events.on("CodeAudited", () => shownPath() || refreshSoon());
events.on("MeasurementChanged", ({ measurement_id: measurementId, state, done, total }) => {
  if (!measurements) return;
  const bar = document.getElementById(`measurement-${measurementId}`);
  if (bar && state === "running" && total) {
    bar.max = total;
    bar.value = done;
    measurements.querySelector(`label[for="measurement-${measurementId}"]`).textContent = `${done} of ${total}`;
    return;
  }
  refreshMeasurements();
  if (state === "queued" || state === "running") return;
  if (bar) said.textContent = `The measurement is ${state}.`;
  refreshSoon();
});
events.onResync(() => location.reload());

// One stop of the Tab key in the map; arrow keys go to the nearest tile in that direction.
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

function middle(link) {
  const { x, y, width, height } = link.querySelector("rect").getBBox();
  return [x + width / 2, y + height / 2];
}

function neighbour(from, [dx, dy]) {
  const [x, y] = middle(from);
  let best = null;
  let nearest = Infinity;
  for (const link of from.parentElement.querySelectorAll("a")) {
    const [otherX, otherY] = middle(link);
    const ahead = (otherX - x) * dx + (otherY - y) * dy;
    const aside = Math.abs((otherX - x) * dy) + Math.abs((otherY - y) * dx);
    if (ahead > 0.5 && ahead + 2 * aside < nearest) [best, nearest] = [link, ahead + 2 * aside];
  }
  return best;
}

document.addEventListener("keydown", (event) => {
  const link = ARROWS[event.key] && event.target.closest?.(".health-map a");
  if (!link) return;
  event.preventDefault();
  const next = neighbour(link, ARROWS[event.key]);
  if (!next) return;
  link.setAttribute("tabindex", "-1");
  next.removeAttribute("tabindex");
  next.focus();
});
