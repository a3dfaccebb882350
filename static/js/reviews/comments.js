// Comments on lines: the form comes from the server and stands under its line.
import { notify } from "../lib/notify.js";

function formUrl(root, hunk, number) {
  const url = new URL(`${root.dataset.url}comments/form/`, location.href);
  url.searchParams.set("file", hunk.dataset.file);
  url.searchParams.set("line", number.dataset.commentLine);
  url.searchParams.set("side", number.dataset.side);
  return url.pathname + url.search;
}

async function open(root, hunk, number) {
  const begun = root.querySelector(".rv-comment-form[data-busy]");
  const draft = begun?.querySelector("textarea");
  if (draft?.value.trim()) {
    draft.scrollIntoView({ block: "center" });
    draft.focus({ preventScroll: true });
    return notify("You have begun a comment here. Send it or cancel it first.");
  }
  begun?.querySelector("[data-close-form]").click();
  const line = number.closest(".ln");
  await window.htmx.ajax("GET", formUrl(root, hunk, number), { target: line, swap: "afterend" });
  line.nextElementSibling?.querySelector?.("textarea")?.focus();
}

/** Open the form for the hunk's first added line, else its first removed one. */
export function openComment(root, hunk) {
  for (const kind of [".ln.add", ".ln.del", ".ln"]) {
    const number = [...hunk.querySelectorAll(`${kind} [data-comment-line]`)].find((one) => one.offsetParent);
    if (number) return open(root, hunk, number);
  }
}

export function setUpComments(root) {
  if (!("oldRevision" in root.dataset)) {
    root.addEventListener("click", (event) => {
      const number = event.target.closest("[data-comment-line]");
      const button = event.target.closest('[data-act="comment"]');
      const hunk = event.target.closest(".hunk[data-key]");
      if (!hunk || (!number && !button)) return;
      if (number && !hunk.querySelector('[data-act="comment"]')) return;
      if (number) open(root, hunk, number);
      else openComment(root, hunk);
    });
  }
  root.addEventListener("click", (event) => {
    const close = event.target.closest("[data-close-form]");
    if (!close) return;
    const hunk = close.closest(".hunk");
    close.closest(".rv-comment-form").remove();
    hunk?.focus({ preventScroll: true });
  });
  root.addEventListener("click", (event) => {
    const jump = event.target.closest("[data-jump-hunk]");
    const hunk = jump && document.getElementById(`hunk-${jump.dataset.jumpHunk}`);
    if (!hunk) return;
    event.preventDefault();
    hunk.scrollIntoView({ block: "center" });
    hunk.focus({ preventScroll: true });
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
      event.preventDefault();
      event.target.form?.requestSubmit();
    }
  });
}
