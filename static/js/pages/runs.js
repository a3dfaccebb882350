// The list of runs, live: a line is fetched again when its run changes, and new runs come in at the top.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";

const list = document.getElementById("run-list");
const workspaceId = document.body.dataset.workspaceId;
const FINAL = ["finished", "failed", "cancelled", "dead"];
const SHOWS = { all: () => true, active: (status) => !FINAL.includes(status) };
const pending = new Map();
const QUIET_MS = 150;

const lineOf = (runId) => document.getElementById(`run-${runId}`);

async function refresh(runId) {
  pending.delete(runId);
  const html = await fragment(`/w/${workspaceId}/runs/${runId}/row/`);
  if (html === null) return;
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("li");
  const old = lineOf(runId);
  if (!fresh) return;
  const hadFocus = old?.contains(document.activeElement);
  if (old) old.replaceWith(fresh);
  else list.prepend(fresh);
  if (hadFocus) fresh.querySelector("a")?.focus();
}

function soon(runId) {
  if (!pending.has(runId)) pending.set(runId, setTimeout(() => refresh(runId), QUIET_MS));
}

function offer() {
  const notice = document.getElementById("new-runs");
  if (notice) notice.hidden = false;
}

events.on("RunQueued", ({ run_id: runId, run }) => {
  const isFirstPage = !new URLSearchParams(location.search).has("after");
  if (list && isFirstPage && SHOWS[list.dataset.status]?.(run.status)) soon(runId);
  else offer();
});
events.on("RunChanged", ({ run_id: runId }) => {
  if (lineOf(runId)) soon(runId);
});
events.on("ReviewOpened", ({ run_id: runId }) => {
  if (runId && lineOf(runId)) soon(runId);
});
events.onResync(() => location.reload());
