// The editor page: tree on the left, tabs and CodeMirror in the middle, search and history beside it.
import { api } from "../lib/api.js";
import { OpenDocument } from "../editor/document.js";
import { describeAudit, describeFunction } from "../editor/health.js";
import { FileTree } from "../editor/tree.js";
import { events } from "../events.js";
import { notify } from "../lib/notify.js";
import { when } from "../lib/when.js";

const page = document.querySelector(".editor-page");
const mayEdit = page.dataset.mayEdit === "1";
const tabs = document.getElementById("tabs");
const place = document.getElementById("editor-place");
const status = document.getElementById("editor-status");
const documents = new Map();
let active = null;

const fail = (error) => notify(error.message, "bad");

const tree = new FileTree(document.getElementById("tree"), { onOpen: open, onError: fail });

async function open(path, line) {
  let entry = documents.get(path);
  if (!entry) {
    const pane = document.createElement("div");
    pane.className = "editor-pane";
    const doc = new OpenDocument(path, { isReadOnly: !mayEdit, onChange: renderChanged, onAudit: renderStatus, onCursor: renderStatus });
    entry = { doc, pane };
    documents.set(path, entry);
    place.append(pane);
    try {
      await doc.open(pane);
    } catch (error) {
      documents.delete(path);
      pane.remove();
      fail(error);
      return;
    }
    if (doc.whyNot) {
      const words = document.createElement("p");
      words.className = "empty";
      words.textContent = doc.whyNot;
      pane.append(words);
    }
  }
  show(path);
  if (line && entry.doc.view) {
    const at = entry.doc.view.state.doc.line(Math.min(line, entry.doc.view.state.doc.lines));
    entry.doc.view.dispatch({ selection: { anchor: at.from }, scrollIntoView: true });
  }
}

function show(path) {
  active = path;
  for (const [other, { pane }] of documents) pane.hidden = other !== path;
  document.getElementById("editor-empty").hidden = documents.size > 0;
  page.classList.toggle("has-file", documents.size > 0);
  nameInAddress(path);
  renderChanged();
  renderStatus();
  if (path) {
    tree.reveal(path).catch(fail);
    documents.get(path).doc.view?.focus();
  }
}

function nameInAddress(path) {
  const url = new URL(location.href);
  if (path) url.searchParams.set("path", path);
  else url.searchParams.delete("path");
  history.replaceState(null, "", url);
}

const isWithin = (path, folder) => path === folder || path.startsWith(`${folder}/`);

/** What was renamed or moved, alone or with its folder, stays open under its new name, with what is not saved. */
function followMove(source, target) {
  const entries = [...documents];
  documents.clear();
  for (const [path, entry] of entries) {
    const moved = isWithin(path, source) ? target + path.slice(source.length) : path;
    const now = entries.some(([other]) => other === moved) ? path : moved;
    documents.set(now, entry);
    if (now === path) continue;
    entry.doc.moveTo(now);
    if (active === path) nameInAddress((active = now));
  }
  renderChanged();
  renderStatus();
}

function renderTabs() {
  tabs.replaceChildren(
    ...[...documents].map(([path, { doc }]) => {
      const tab = document.createElement("div");
      tab.className = "editor-tab";
      tab.classList.toggle("is-active", path === active);
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-current", String(path === active));
      button.title = path;
      button.textContent = `${doc.isDirty ? "● " : ""}${path.split("/").pop()}${noteOf(doc)}`;
      button.addEventListener("click", () => show(path));
      const close = document.createElement("button");
      close.type = "button";
      close.className = "tab-close";
      close.setAttribute("aria-label", `Close ${path}`);
      close.textContent = "×";
      close.addEventListener("click", () => closeTab(path));
      tab.append(button, close);
      return tab;
    }),
  );
}

function noteOf(doc) {
  if (doc.isGone) return " (not on disk any more)";
  return doc.isStale ? " (newer on disk)" : "";
}

function renderChanged() {
  renderTabs();
  document.getElementById("save").disabled = !mayEdit || !documents.get(active)?.doc.isDirty;
}

function renderStatus() {
  const doc = documents.get(active)?.doc;
  status.textContent = doc?.view ? [doc.path, doc.encoding, doc.lineSeparator === "\r\n" ? "CRLF" : "LF", describeFunction(doc.audit, doc.line), describeAudit(doc.audit)].filter(Boolean).join(" · ") : "";
}

function closeTab(path) {
  const { doc, pane } = documents.get(path);
  if (doc.isDirty && !confirm(`${path} has unsaved changes. Close it and lose them?`)) return;
  doc.close();
  pane.remove();
  documents.delete(path);
  show([...documents.keys()].at(-1) ?? "");
}

// One save of a file at a time: a second one would run into the first, and take it for somebody else's.
async function save() {
  const doc = documents.get(active)?.doc;
  if (!doc?.view || !mayEdit || !doc.isDirty) return;
  doc.isSaveAsked = true;
  if (doc.isSaving) return;
  doc.isSaving = true;
  try {
    while (doc.isSaveAsked && doc.isDirty) {
      doc.isSaveAsked = false;
      await saveOnce(doc);
    }
  } catch (error) {
    fail(error);
  } finally {
    doc.isSaving = false;
  }
}

async function saveOnce(doc) {
  const started = performance.now();
  try {
    await doc.save();
    page.dataset.lastSaveMs = String(Math.round(performance.now() - started));
    status.textContent = `Saved · ${status.textContent}`;
  } catch (error) {
    if (error.code !== "version_conflict") throw error;
    const { mergeDialog } = await import("../editor/merge.js");
    const merged = await mergeDialog(doc);
    doc.isSaveAsked = Boolean(merged); // what was asked for while both stood side by side is answered by the dialog
    if (merged) doc.takeMerged(merged.lines, merged.theirs);
  }
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    save();
  }
});
window.addEventListener("beforeunload", (event) => {
  if ([...documents.values()].some(({ doc }) => doc.isDirty)) event.preventDefault();
});

// --- What the buttons do --------------------------------------------------------------------------------------------------
function ask(title, value = "") {
  const dialog = document.getElementById("name-dialog");
  dialog.querySelector("h2").textContent = title;
  const input = dialog.querySelector("input");
  input.value = value;
  dialog.returnValue = "";
  dialog.showModal();
  input.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? input.value.trim().replace(/^\/+|\/+$/g, "") : ""), { once: true });
  });
}

const inFolder = (name) => (tree.selectedFolder ? `${tree.selectedFolder}/${name}` : name);

const ACTIONS = {
  save,
  async "new-file"() {
    const path = await ask("New file", inFolder("untitled.py"));
    if (!path) return;
    await api("PUT", "file", { body: { path, text: "", expected: null } });
    await tree.refresh();
    await open(path);
  },
  async "new-folder"() {
    const path = await ask("New folder", inFolder("folder"));
    if (!path) return;
    await api("POST", "files/folder", { body: { path } });
    await tree.refresh();
  },
  async rename() {
    const source = tree.selectedPath || active;
    if (!source) return notify("Select a file or folder first.");
    const target = await ask(`Rename or move ${source}`, source);
    if (!target || target === source) return;
    await api("POST", "files/move", { body: { source, target } });
    followMove(source, target);
    await tree.refresh();
  },
  async delete() {
    const path = tree.selectedPath || active;
    if (!path) return notify("Select a file or folder first.");
    if (!confirm(`Delete ${path}? What is committed can be brought back from the history.`)) return;
    await api("DELETE", "file", { query: { path } });
    for (const [other, { doc }] of [...documents]) {
      if (!isWithin(other, path)) continue;
      doc.isDirty = false;
      closeTab(other);
    }
    await tree.refresh();
  },
  "close-panel"() {
    for (const panel of document.querySelectorAll(".editor-panel")) panel.hidden = true;
    documents.get(active)?.doc.view?.focus();
  },
  search: () => openPanel("search-panel", "search-query"),
  async history() {
    if (!active) return notify("Open a file first.");
    openPanel("history-panel");
    document.getElementById("history-path").textContent = active;
    const list = document.getElementById("history-list");
    const commits = await api("GET", "git/log", { query: { path: active } });
    list.replaceChildren(...commits.map((commit) => historyItem(commit, active)));
    if (!commits.length) list.textContent = "This file is in no commit yet.";
  },
  async terminal() {
    openPanel("terminal-panel");
    await import("../terminal.js");
    const host = document.getElementById("terminal-place");
    if (!host.firstElementChild) host.append(document.createElement("pa-terminal"));
  },
  files: () => page.classList.toggle("shows-tree"),
};

function historyItem(commit, path) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet history-item";
  button.textContent = `${commit.subject} · ${commit.author} · ${when(commit.at)}`;
  button.addEventListener("click", () => compareWith(commit, path).catch(fail));
  item.append(button);
  return item;
}

async function compareWith(commit, path) {
  const { compareDialog } = await import("../editor/compare.js");
  await compareDialog(await api("GET", "git/file", { query: { commit: commit.sha, path } }), documents.get(path)?.doc.text ?? "", commit);
}

function openPanel(id, focus) {
  for (const panel of document.querySelectorAll(".editor-panel")) panel.hidden = panel.id !== id ? true : !panel.hidden;
  if (focus && !document.getElementById(id).hidden) document.getElementById(focus).focus();
}

document.addEventListener("click", (event) => {
  const name = event.target.closest("[data-action]")?.dataset.action;
  if (name) Promise.resolve(ACTIONS[name]()).catch(fail);
});

document.getElementById("search-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const results = document.getElementById("search-results");
  results.textContent = "Searching …";
  try {
    const query = { q: form.get("q"), is_regex: form.has("regex"), is_case_sensitive: form.has("case"), glob: form.get("glob") };
    const found = await api("GET", "files/search", { query });
    results.replaceChildren(...found.matches.map(searchItem));
    const words = document.createElement("li");
    words.className = "muted small";
    words.textContent = countOf(found);
    results.prepend(words);
  } catch (error) {
    results.replaceChildren();
    fail(error);
  }
});

function countOf({ matches, is_complete, skipped }) {
  const words = [matches.length === 1 ? "1 match" : `${matches.length} matches`];
  if (!is_complete) words.push("there are more, narrow the search");
  if (skipped) words.push(skipped === 1 ? "1 file over 8 MB was not searched" : `${skipped} files over 8 MB were not searched`);
  return words.join("; ");
}

function searchItem(match) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "search-hit";
  const where = document.createElement("span");
  where.className = "muted small";
  where.textContent = `${match.path}:${match.line}`;
  const text = document.createElement("code");
  text.textContent = match.text.trim().slice(0, 200);
  button.append(where, text);
  button.addEventListener("click", () => open(match.path, match.line));
  item.append(button);
  return item;
}

let refreshTimer;
function takeChanges(paths) {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => tree.refresh(), 300);
  for (const [path, { doc }] of documents) {
    if (doc.view && (!paths.length || paths.some((one) => isWithin(path, one)))) doc.reload().catch(fail);
  }
}
events.on("FilesChanged", ({ paths, cause }) => {
  if (cause === "move") followMove(...paths);
  if (cause !== "stage") takeChanges(paths);
});
// Told of source files whichever way they changed: a terminal and a sandbox tell nothing themselves.
events.on("HealthChanged", ({ paths }) => takeChanges(paths));

await tree.load();
const wanted = new URLSearchParams(location.search);
if (wanted.get("path")) await open(wanted.get("path"), Number(wanted.get("line")) || undefined);
else show("");
page.dataset.ready = "1";
