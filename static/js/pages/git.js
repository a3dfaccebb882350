// The git page: what changed, staging, committing, branches, remotes, history.
import { api } from "../lib/api.js";
import { events } from "../events.js";
import { notify } from "../lib/notify.js";
import { when } from "../lib/when.js";

const page = document.querySelector(".git-page");
const mayEdit = page.dataset.mayEdit === "1";
const fail = (error) => notify(error.message, "bad");
const WORDS = { M: "modified", A: "added", D: "deleted", R: "renamed", C: "copied", T: "type changed", U: "conflict", "?": "new" };

async function refresh() {
  const git = await api("GET", "git");
  const staged = git.status.filter((one) => /[^ .?]/.test(one.index));
  const changed = git.status.filter((one) => /[^ .]/.test(one.worktree));
  fillList("staged", staged, (one) => WORDS[one.index] ?? one.index, "git/unstage", "Unstage");
  fillList("changed", changed, (one) => WORDS[one.worktree] ?? one.worktree, "git/stage", "Stage");
  const commit = document.getElementById("commit-button"); // absent for who only reads
  if (commit) commit.disabled = !staged.length;
  const select = document.getElementById("branch");
  const fetched = git.fetched.map(({ remote, branch }) => {
    const option = new Option(`${branch} (fetched from ${remote})`, branch);
    option.dataset.remote = remote;
    return option;
  });
  select.replaceChildren(...git.branches.map((name) => new Option(name, name, name === git.branch, name === git.branch)), ...fetched);
  showBehind(git);
  page.dataset.ready = "1";
}

/** Say what a fetch of each remote has found for the current branch, and offer to bring it in. */
function showBehind({ branch, upstream }) {
  const rows = upstream.filter(({ behind }) => behind).map(({ remote, behind, ahead }) => {
    const row = document.createElement("div");
    row.className = "row between";
    const words = document.createElement("span");
    const commits = `${remote}: ${behind} fetched ${behind === 1 ? "commit" : "commits"}`;
    words.textContent = ahead ? `${commits} not in ${branch}, which has ${ahead} of its own` : `${commits} not in ${branch} yet`;
    row.append(words);
    if (mayEdit) row.append(bringInButton(remote));
    return row;
  });
  document.getElementById("behind").replaceChildren(...rows);
}

function bringInButton(remote) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Bring them in";
  button.setAttribute("aria-label", `Bring them in from ${remote}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    await api("POST", "git/fast-forward", { body: { remote } }).then((made) => notify(`At ${made.commit.slice(0, 8)} now.`, "good"), fail);
    await Promise.all([refresh(), loadHistory()]).catch(fail);
  });
  return button;
}

function fillList(id, entries, word, path, verb) {
  const list = document.getElementById(id);
  document.getElementById(`${id}-count`).textContent = String(entries.length);
  list.replaceChildren(
    ...entries.map((entry) => {
      const item = document.createElement("li");
      item.className = "row between";
      const name = document.createElement("button");
      name.type = "button";
      name.className = "grow truncate mono git-path";
      name.textContent = entry.path;
      name.title = "What has changed since the last commit";
      name.addEventListener("click", () => compare(entry.path).catch(fail));
      const kind = document.createElement("span");
      kind.className = "badge";
      kind.textContent = word(entry);
      item.append(name, kind);
      if (mayEdit) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button";
        button.textContent = verb;
        button.setAttribute("aria-label", `${verb} ${entry.path}`);
        button.addEventListener("click", () => move(path, [entry.path]));
        item.append(button);
      }
      return item;
    }),
  );
  if (!entries.length) {
    const none = document.createElement("li");
    none.className = "muted";
    none.textContent = id === "staged" ? "Nothing is staged." : "Nothing has changed.";
    list.append(none);
  }
  const all = document.getElementById(`${id}-all`);
  if (all) all.hidden = !entries.length;
  if (all) all.onclick = () => move(path, entries.map((entry) => entry.path));
}

const NOTHING = (path) => ({ path, text: "", why_not: "" });
const orNothing = (path) => (error) => {
  if (error.status === 404) return NOTHING(path);
  throw error;
};

/** Show a file as the last commit has it beside what stands on disk; new and deleted ones have an empty side. */
async function compare(path) {
  const query = { path };
  const [old, now, { compareDialog }] = await Promise.all([
    api("GET", "git/file", { query: { commit: "HEAD", ...query } }).catch(orNothing(path)),
    api("GET", "file", { query }).catch(orNothing(path)),
    import("../editor/compare.js"),
  ]);
  await compareDialog(old, now.text ?? now.why_not, { sha: "HEAD" });
}

async function move(path, paths) {
  if (!paths.length) return;
  await api("POST", path, { body: { paths } }).catch(fail);
  await refresh().catch(fail);
}

async function loadHistory(skip = 0) {
  const commits = await api("GET", "git/log", { query: { skip, limit: 30 } });
  const list = document.getElementById("log");
  if (!skip) list.replaceChildren();
  for (const commit of commits) {
    const item = document.createElement("li");
    item.className = "row";
    const sha = document.createElement("code");
    sha.textContent = commit.sha.slice(0, 8);
    const subject = document.createElement("span");
    subject.className = "grow truncate";
    subject.textContent = commit.subject;
    const who = document.createElement("span");
    who.className = "muted small";
    who.textContent = `${commit.author} · ${when(commit.at)}`;
    item.append(sha, subject, who);
    list.append(item);
  }
  const more = document.getElementById("log-more");
  more.hidden = commits.length < 30;
  more.onclick = () => loadHistory(skip + 30).catch(fail);
}

function removeButton({ name, has_token: hasToken }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${name}`);
  const lost = hasToken ? "Its credential and what was fetched of it go with it" : "What was fetched of it goes with it";
  button.addEventListener("click", async () => {
    if (!confirm(`Remove the remote ${name}? ${lost}; branches that you have switched to stay.`)) return;
    button.disabled = true;
    await api("DELETE", `git/remotes/${encodeURIComponent(name)}`).then(() => notify(`${name} is removed.`, "good"), fail);
    button.disabled = false;
    await Promise.all([refresh(), loadRemotes()]).catch(fail);
  });
  return button;
}

async function loadRemotes() {
  const remotes = await api("GET", "git/remotes");
  const list = document.getElementById("remotes");
  list.replaceChildren(
    ...remotes.map((remote) => {
      const item = document.createElement("li");
      item.className = "row";
      const words = document.createElement("span");
      words.className = "grow";
      words.textContent = `${remote.name} · ${remote.url}${remote.has_token ? " · credential stored" : ""}`;
      item.append(words);
      for (const [verb, path, may] of [["Fetch", "git/fetch", mayEdit], ["Push", "git/push", page.dataset.mayPush === "1"]]) {
        if (!may) continue;
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button";
        button.textContent = verb;
        button.setAttribute("aria-label", `${verb} ${verb === "Push" ? "to" : "from"} ${remote.name}`);
        button.addEventListener("click", async () => {
          button.disabled = true;
          button.textContent = `${verb}ing …`;
          await api("POST", path, { body: { remote: remote.name } }).then(() => notify(`${verb} of ${remote.name} is done.`, "good"), fail);
          button.disabled = false;
          button.textContent = verb;
          await refresh().catch(fail);
        });
        item.append(button);
      }
      if (page.dataset.mayPush === "1") item.append(removeButton(remote));
      return item;
    }),
  );
  if (!remotes.length) {
    const none = document.createElement("li");
    none.className = "muted";
    none.textContent = "No remote yet.";
    list.append(none);
  }
}

document.getElementById("commit-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = new FormData(event.target).get("message");
  try {
    const made = await api("POST", "git/commit", { body: { message } });
    event.target.reset();
    notify(`Committed ${made.commit.slice(0, 8)}.`, "good");
    await Promise.all([refresh(), loadHistory()]);
  } catch (error) {
    fail(error);
  }
});

document.getElementById("branch")?.addEventListener("change", async (event) => {
  // News of the switch may fill the list anew before its answer is here.
  const { value: branch, dataset } = event.target.selectedOptions[0];
  await api("POST", "git/switch", { body: { branch, remote: dataset.remote ?? "" } }).then(() => notify(`On ${branch}.`, "good"), fail);
  await Promise.all([refresh(), loadHistory()]).catch(fail);
});

document.getElementById("new-branch-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const branch = new FormData(event.target).get("branch");
  await api("POST", "git/switch", { body: { branch, is_new: true } }).then(() => {
    event.target.reset();
    notify(`On the new branch ${branch}.`, "good");
  }, fail);
  await refresh().catch(fail);
});

document.getElementById("remote-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const token = form.get("token");
  const body = { name: form.get("name"), url: form.get("url"), username: form.get("username"), token: token === "" ? null : token };
  await api("PUT", "git/remotes", { body }).then(() => {
    event.target.reset();
    event.target.closest("details").open = false;
    notify(`Stored ${body.name}.`, "good");
  }, fail);
  await loadRemotes().catch(fail);
});

events.on("FilesChanged", () => refresh().catch(fail));
Promise.all([refresh(), loadHistory(), loadRemotes()]).catch(fail);
