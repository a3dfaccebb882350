// On every page of a workspace: the connection's state in the top bar, and unread counts in the rail as messages come.
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";
import { notify } from "../lib/notify.js";

const WORDS = {
  connecting: "",
  online: "",
  offline: "Reconnecting…",
  "signed-out": "You are signed out. Reload to sign in.",
  "not-allowed": "You are no longer in this workspace.",
};
const place = document.getElementById("connection");
let offlineTimer = null;

events.onState((state) => {
  if (!place) return;
  clearTimeout(offlineTimer);
  // A blink of the connection is not worth a word.
  offlineTimer = setTimeout(() => {
    place.dataset.state = state === "online" || state === "connecting" ? "online" : "offline";
    place.textContent = WORDS[state];
  }, state === "offline" ? 1500 : 0);
});

const me = Number(document.body.dataset.userId);
const rail = document.getElementById("channel-rail");
// How far each channel goes and how far one has read it. Both only grow, so news and the list that was fetched meanwhile may
// come in any order, and twice.
const known = new Map();

function link(channelId) {
  return rail.querySelector(`a[data-channel-id="${channelId}"]`);
}

function learn(channelId, { newest = 0, read = 0 }) {
  const before = known.get(channelId) ?? { newest: 0, read: 0 };
  known.set(channelId, { newest: Math.max(before.newest, newest), read: Math.max(before.read, read) });
  showUnread(channelId);
}

function showUnread(channelId) {
  const found = link(channelId);
  if (!found) return;
  const { newest, read } = known.get(channelId);
  const unread = Math.max(newest - read, 0);
  found.classList.toggle("has-unread", unread > 0);
  let count = found.querySelector(".count");
  if (!count) {
    count = document.createElement("span");
    count.className = "count";
    found.append(count);
  }
  count.hidden = unread <= 0;
  count.textContent = unread > 99 ? "99+" : unread;
  count.setAttribute("aria-label", `${unread} unread`);
}

events.on("MessagePosted", ({ channel_id: channelId, number, author_id: authorId }) => {
  learn(channelId, { newest: number, read: authorId === me ? number : 0 });
});
events.on("ChannelRead", ({ channel_id: channelId, number }) => learn(channelId, { read: number }));

let asked = 0;

async function reload() {
  const mine = ++asked;
  const html = await fragment(rail.dataset.url, { "HX-Request": "true", "HX-Current-URL": location.href });
  if (html === null || mine !== asked) return;
  // What somebody is typing into is not replaced: the list comes when the dialog closes.
  const open = rail.querySelector("dialog[open]");
  if (open) return open.addEventListener("close", reload, { once: true });
  rail.innerHTML = html;
  for (const { dataset } of rail.querySelectorAll("a[data-channel-id]")) {
    learn(Number(dataset.channelId), { newest: Number(dataset.newest), read: Number(dataset.read) });
  }
}

// The dialog for a new channel stays open, with what was typed, when the name will not do.
async function createChannel(form) {
  const button = form.querySelector('[type="submit"]');
  button.disabled = true;
  const reply = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "HX-Request": "true" } }).catch(() => null);
  button.disabled = false;
  const address = reply?.headers.get("HX-Redirect");
  if (address) return location.assign(address);
  if (reply?.status !== 409 && reply?.status !== 422) {
    return notify(reply ? `The server answered ${reply.status}.` : "The server cannot be reached. Nothing is lost; try again.", "bad");
  }
  const dialog = form.closest("dialog");
  form.outerHTML = await reply.text();
  dialog.querySelector('[name="name"]').focus();
}

rail.addEventListener("submit", (event) => {
  const form = event.target.closest("#new-channel form");
  if (!form) return;
  event.preventDefault();
  createChannel(form);
});

reload();
events.on("ChannelsChanged", reload);
events.onResync(reload);
