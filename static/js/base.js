// What every page has: the theme, the drawer on phones, dialogs, dismissable notices, and times in the reader's zone.
import { localTimes } from "./lib/when.js";

const root = document.documentElement;

function setTheme(theme) {
  if (theme === "system") {
    delete root.dataset.theme;
    localStorage.removeItem("theme");
  } else {
    root.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }
}

function closeDrawer() {
  document.querySelector(".rail")?.classList.remove("is-open");
  document.querySelector(".menu-button")?.setAttribute("aria-expanded", "false");
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-choice], [data-drawer], [data-open-dialog], [data-close-dialog], [data-dismiss], [data-copy], [data-back]");
  if (!target) {
    if (!event.target.closest(".rail")) closeDrawer();
    return;
  }
  if (target.dataset.themeChoice) setTheme(target.dataset.themeChoice);
  if ("drawer" in target.dataset) {
    const isOpen = document.querySelector(".rail")?.classList.toggle("is-open");
    target.setAttribute("aria-expanded", String(Boolean(isOpen)));
  }
  if (target.dataset.openDialog) document.getElementById(target.dataset.openDialog)?.showModal();
  if ("closeDialog" in target.dataset) target.closest("dialog")?.close();
  if ("back" in target.dataset) history.back();
  if ("dismiss" in target.dataset) target.closest(".notice")?.remove();
  if (target.dataset.copy) {
    navigator.clipboard?.writeText(target.dataset.copy).then(() => notify("Copied.", "good"));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeDrawer();
});

// What cannot be taken back is asked about; a form that is on its way is not sent a second time.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  const words = event.submitter?.dataset.confirm;
  if ((words && !confirm(words)) || "isSent" in form.dataset) return event.preventDefault();
  form.dataset.isSent = "";
  setTimeout(() => delete form.dataset.isSent, 3000);
});

/** Show a passing notice; `level` is good, warn or bad. Notices of trouble stay until dismissed. */
export function notify(text, level = "") {
  const notice = document.createElement("div");
  notice.className = `notice ${level}`;
  notice.setAttribute("role", level === "bad" ? "alert" : "status");
  const words = document.createElement("span");
  words.className = "grow";
  words.textContent = text;
  const close = document.createElement("button");
  close.className = "button quiet";
  close.dataset.dismiss = "";
  close.textContent = "Dismiss";
  notice.append(words, close);
  document.getElementById("notices")?.append(notice);
  if (level !== "bad") setTimeout(() => notice.remove(), 6000);
}
const main = document.getElementById("main");
if (main && !main.classList.contains("chat")) {
  localTimes(main);
  new MutationObserver(() => localTimes(main)).observe(main, { childList: true, subtree: true });
}
// A new schedule means its reader's own time, unless they say otherwise.
const zone = main?.querySelector("select[data-own-zone]");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && [...zone.options].some((option) => option.value === own)) zone.value = own;

// Tabs that do not fit scroll: the present one is to be seen.
document.querySelector('.tabs [aria-current="page"]')?.scrollIntoView({ inline: "center", block: "nearest" });

window.addEventListener("pa:notify", (event) => notify(event.detail.text, event.detail.level));
