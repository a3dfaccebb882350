// The REST API from a page: the session signs in, the CSRF token proves that the page asked.

export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = error?.code ?? "unknown";
    this.facts = error?.facts ?? {};
    this.retryable = Boolean(error?.retryable);
  }
}

const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Return the parsed reply of `/api/v1/workspaces/<this workspace>/<path>`; throws ApiError. */
export async function api(method, path, { query, body, signal } = {}) {
  const url = new URL(`/api/v1/workspaces/${document.body.dataset.workspaceId}/${path}`, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
  const headers = { Accept: "application/json", "X-CSRFToken": csrf() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let reply;
  let text;
  try {
    reply = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
    text = await reply.text(); // a line may break in the middle of it, too
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "offline", message: "The server cannot be reached. Nothing is lost; try again.", retryable: true });
  }
  if (reply.status === 204) return null;
  const isJson = reply.headers.get("Content-Type")?.startsWith("application/json");
  if (!reply.ok || !isJson) throw new ApiError(reply.status, isJson ? JSON.parse(text).error : null);
  return JSON.parse(text);
}
