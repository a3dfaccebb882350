// What most pages load: htmx with the CSRF token, on top of what every page has.
import htmx from "htmx.org";
import { notify } from "./base.js";

window.htmx = htmx;

document.addEventListener("htmx:config:request", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  const request = event.detail.ctx?.request ?? event.detail;
  if (token && request?.headers) request.headers["X-CSRFToken"] = token;
});

// Lost on the way: whoever pressed a button is told. What a page asks for by itself is asked again by itself.
document.addEventListener("htmx:error", (event) => {
  const method = event.detail.ctx?.request?.method;
  if (method && method !== "GET") notify("The server did not answer. Look at your connection and try again.", "bad");
});

// By itself it begins after the page has loaded; a key or a click until then would be lost. Scripts that are modules see the whole page.
htmx.initialize();
