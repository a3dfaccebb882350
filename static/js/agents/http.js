// What a run's card asks the server for.

function csrf() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

async function failure(reply) {
  const body = await reply.json().catch(() => null);
  return new Error(body?.error?.message ?? `The server answered ${reply.status}.`);
}

export function runUrl(run, rest = "") {
  return `/w/${run.workspace_id}/runs/${run.id}/${rest}`;
}

export async function fetchState(run, after) {
  const reply = await fetch(runUrl(run, `state/?after=${after}`), { headers: { Accept: "application/json" } });
  if (!reply.ok) throw await failure(reply);
  return reply.json();
}

export async function fetchDetail(run, stepId) {
  const reply = await fetch(runUrl(run, `steps/${encodeURIComponent(stepId)}/`), { headers: { "X-Requested-With": "run-card" } });
  if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
  return reply.text();
}

/** Send a form that steers a run; returns `{note}`, or `{run}` where a new run begins. */
export async function steer(url, fields) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrf() };
  const reply = await fetch(url, { method: "POST", headers, body: fields });
  if (!reply.ok) throw await failure(reply);
  return reply.json();
}

/** Say yes or no to a call that waits; returns what the run asked, and what of it is still open. */
export async function decide(run, stepId, verdict, text) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrf() };
  const body = new URLSearchParams({ verdict, text });
  const reply = await fetch(runUrl(run, `approvals/${encodeURIComponent(stepId)}/`), { method: "POST", headers, body });
  if (!reply.ok) throw await failure(reply);
  return (await reply.json()).approvals;
}

/** Stop, suspend, resume, re-prioritise or dismiss a run, or try it again; returns the run that this leads to. */
export async function act(run, what, fields = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrf() };
  const reply = await fetch(runUrl(run, `${what}/`), { method: "POST", headers, body: new URLSearchParams(fields) });
  if (!reply.ok) throw await failure(reply);
  return (await reply.json()).run;
}
