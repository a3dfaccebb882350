// What others do: an event says what changed, the page fetches that piece. Nothing that somebody is typing into is replaced.
import { events } from "../events.js";

const TOGETHER_MS = 120;

export function watchNews(root) {
  const id = Number(root.dataset.changeSet);
  const me = Number(document.body.dataset.userId);
  const said = document.getElementById("review-said");
  if ("oldRevision" in root.dataset) return;
  const hunks = new Set();
  let isHeaderOld = false;
  let timer = null;

  const fetchPiece = (path, target) => window.htmx.ajax("GET", `${root.dataset.url}${path}`, { target, swap: target === "#review-header" ? "none" : "outerHTML" });
  // An act of one's own is under way: its answer shows the page anew, and would take what is shown before it from under a click.
  const isActing = () => root.querySelector("form.htmx-request") !== null;
  const flush = async () => {
    timer = isActing() ? setTimeout(flush, TOGETHER_MS) : null;
    if (timer) return;
    const keys = [...hunks];
    hunks.clear();
    if (isHeaderOld) fetchPiece("header/", "#review-header");
    isHeaderOld = false;
    for (const key of keys) {
      const hunk = document.getElementById(`hunk-${key}`);
      if (!hunk || hunk.hasAttribute("data-busy") || hunk.querySelector("[data-busy]")) continue;
      await fetchPiece(`hunks/${key}/`, `#hunk-${key}`);
    }
  };
  const soon = () => (timer ??= setTimeout(flush, TOGETHER_MS));
  const onMine = (type, fn) => events.on(type, (data) => data.change_set_id === id && fn(data));

  onMine("HunksDecided", (data) => {
    if (data.by_id === me && document.hasFocus()) return;
    const isHere = data.hunk_keys.every((key) => document.getElementById(`hunk-${key}`));
    if (data.verdict === "split" || (data.verdict === "undone" && !isHere)) {
      offerReload(root, `${data.by} cut or joined hunks.`);
      return;
    }
    for (const key of data.hunk_keys) hunks.add(key);
    isHeaderOld = true;
    said.textContent = `${data.by} decided about ${data.hunk_keys.length} hunk${data.hunk_keys.length === 1 ? "" : "s"}: ${data.verdict}`;
    soon();
  });
  onMine("ReviewCommented", (data) => {
    if (data.hunk_key) hunks.add(data.hunk_key);
    isHeaderOld = true;
    soon();
  });
  onMine("EvidenceChanged", () => {
    isHeaderOld = true;
    soon();
  });
  onMine("RevisionAdded", (data) => offerReload(root, `Revision ${data.number} is here.`));
  onMine("ReviewChanged", (data) => {
    isHeaderOld = true;
    soon();
    if (data.status !== root.querySelector("#review-header").dataset.status && !isActing()) offerReload(root, `${data.by || "Somebody"} moved this on: ${data.status}.`);
  });
  events.onResync(() => (root.querySelector("[data-busy]") ? offerReload(root, "The connection was lost for a while.") : location.reload()));

  // Somebody was faster: show what they did.
  document.addEventListener("htmx:response:error", (event) => {
    const hunk = event.target.closest?.(".hunk[data-key]");
    if (event.detail.ctx?.response?.status !== 409 || !hunk) return;
    hunk.removeAttribute("data-busy");
    hunks.add(hunk.dataset.key);
    isHeaderOld = true;
    soon();
  });
}

function offerReload(root, words) {
  if (document.getElementById("rv-reload")) return;
  const notice = document.createElement("div");
  notice.id = "rv-reload";
  notice.className = "notice warn";
  notice.setAttribute("role", "status");
  const text = document.createElement("span");
  text.className = "grow";
  text.textContent = words;
  const show = document.createElement("a");
  show.className = "button";
  show.href = root.dataset.url;
  show.textContent = "Show it";
  notice.append(text, show);
  root.querySelector(".rv-main").prepend(notice);
  notice.scrollIntoView({ block: "nearest" });
}
