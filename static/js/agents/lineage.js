// The tree of runs that asked each other, on a run's page: fetched again when one of them changes, or a new one comes.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";

const QUIET_MS = 200;
let timer = null;
let isFetching = false;

const nav = () => document.getElementById("lineage");

function soon() {
  timer ??= setTimeout(refresh, QUIET_MS);
}

// One at a time: of two replies on their way the older could come last.
async function refresh() {
  timer = null;
  if (isFetching) return soon();
  isFetching = true;
  const html = await fragment(nav().dataset.src);
  isFetching = false;
  if (html !== null) show(html);
}

function show(markup) {
  const fresh = new DOMParser().parseFromString(markup, "text/html").getElementById("lineage");
  const focused = nav().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  if (fresh) nav().replaceWith(fresh);
  if (focused) nav().querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

// The address that it is fetched from names this run, each link another one.
function changed({ run }) {
  const shown = nav()?.outerHTML ?? "";
  const isKnown = !nav()?.hidden && shown.includes(run.id);
  if (isKnown || (run.parent && shown.includes(run.parent))) soon();
}

events.on("RunQueued", changed);
events.on("RunChanged", changed);
events.onResync(() => nav() && soon());
