// The review page: keys, moving between hunks, comments on lines, the layout, and what other people do meanwhile.
// HTML comes from the server by htmx; every key presses a button that is there for the mouse, too.
import { watchNews } from "../reviews/news.js";
import { Cursor } from "../reviews/cursor.js";
import { setUpLayout } from "../reviews/layout.js";
import { openComment, setUpComments } from "../reviews/comments.js";
import { keepComparison, keepOpen } from "../reviews/kept.js";
import { setUpLazy } from "../reviews/lazy.js";
import { isTyping, whenKey } from "../reviews/keys.js";

const root = document.getElementById("review");
const cursor = new Cursor(root);
setUpLayout(root);
setUpComments(root);
setUpLazy(root);
watchNews(root);
keepComparison(root);
keepOpen(root);

if (matchMedia("(max-width: 64rem)").matches) {
  for (const panel of root.querySelectorAll("details.rv-panel[open]")) panel.removeAttribute("open");
}

const press = (act) => () => cursor.hunk?.querySelector(`[data-act="${act}"]`)?.click();
whenKey({
  j: () => cursor.move(1),
  k: () => cursor.move(-1),
  a: press("accept"),
  r: press("reject"),
  e: press("edit"),
  s: press("split"),
  u: press("undo"),
  c: () => cursor.hunk && openComment(root, cursor.hunk),
  "?": () => document.getElementById("review-keys").showModal(),
});

root.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const form = event.target.closest("[data-busy]");
  (form?.querySelector("[data-close-form]") ?? form?.querySelector('[data-act="cancel"]'))?.click();
});

root.addEventListener("click", (event) => {
  const fold = event.target.closest("[data-fold]");
  if (fold) {
    const isOpen = fold.getAttribute("aria-expanded") !== "true";
    fold.setAttribute("aria-expanded", String(isOpen));
    document.getElementById(fold.getAttribute("aria-controls")).hidden = !isOpen;
    fold.closest(".rv-file").classList.toggle("is-folded", !isOpen);
    return;
  }
  const link = event.target.closest('.rv-files a[href^="#file-"]');
  if (link) {
    event.preventDefault();
    cursor.toFile(link.getAttribute("href").slice(6));
    return;
  }
  const hunk = event.target.closest(".hunk[data-key]");
  if (hunk && !isTyping(event.target)) cursor.set(hunk, { isQuiet: true });
});

// The hunk that one wants to edit brings CodeMirror with it; nobody else loads it.
let island;
const wantEditor = () => {
  if (root.querySelector("hunk-editor") && !island) island = import("../islands/hunk-editor.js");
};
document.addEventListener("htmx:after:swap", wantEditor);
wantEditor();
