// What most pages load: htmx with the CSRF token, on top of what every page has.
import htmx from "htmx.org";
import "./base.js";

window.htmx = htmx;

document.addEventListener("htmx:config:request", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  const request = event.detail.ctx?.request ?? event.detail;
  if (token && request?.headers) request.headers["X-CSRFToken"] = token;
});
