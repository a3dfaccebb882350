// The tree of runs that asked each other, on a run's page: fetched again when one of them changes, or a new one comes.
import { events } from "../events.js";

const QUIET_MS = 200;
let timer = null;

const nav = () => document.getElementById("lineage");

async function refresh() {
  timer = null;
  const reply = await fetch(nav().dataset.src);
  if (!reply.ok) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("lineage");
  const focused = nav().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  if (fresh) nav().replaceWith(fresh);
  if (focused) nav().querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function changed({ run }) {
  const isNear = run.parent || nav()?.innerHTML.includes(run.id);
  if (nav() && isNear) timer ??= setTimeout(refresh, QUIET_MS);
}

events.on("RunQueued", changed);
events.on("RunChanged", changed);
events.onResync(() => nav() && refresh());
