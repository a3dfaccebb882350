// On every page of a workspace: the connection's state in the top bar, and unread counts in the rail as messages come.
import { events } from "../events.js";

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

function link(channelId) {
  return document.querySelector(`#channel-rail a[data-channel-id="${channelId}"]`);
}

function showUnread(channelId, unread) {
  const found = link(channelId);
  if (!found) return;
  found.dataset.unread = unread;
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

events.on("MessagePosted", ({ channel_id: channelId, author_id: authorId }) => {
  const found = link(channelId);
  if (found && authorId !== me) showUnread(channelId, Number(found.dataset.unread || 0) + 1);
});
events.on("ChannelRead", ({ channel_id: channelId, unread }) => showUnread(channelId, unread));

const rail = document.getElementById("channel-rail");

async function reload() {
  const reply = await fetch(rail.dataset.url, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } }).catch(() => null);
  // Without an answer the old list stays; the next resync asks again.
  if (reply?.ok) rail.innerHTML = await reply.text();
}
reload();
events.on("ChannelsChanged", reload);
events.onResync(reload);
