// The channel page: live messages, the composer, reading marks, topics.
import { Actions } from "../chat/actions.js";
import { Completion } from "../chat/completion.js";
import { MessageLog } from "../chat/log.js";
import { Outbox } from "../chat/outbox.js";
import { events } from "../events.js";
import { fragment } from "../lib/fragment.js";
import { notify } from "../lib/notify.js";

const chat = document.getElementById("chat");
const { dataset: body } = document.body;
const me = { id: Number(body.userId), name: body.userName };
const isMaintainer = body.role === "maintainer" || body.role === "owner";
const channelId = Number(chat.dataset.channelId);
const log = new MessageLog({ log: document.getElementById("log"), chat, me, isMaintainer });
new Actions(log);
events.setPlace(`#${chat.dataset.channel}`);

// --- where the page opens ---------------------------------------------------------------------------------------------

function open() {
  const target = location.hash && document.querySelector(`.message${CSS.escape(location.hash).replace("\\#", "#")}`);
  const unread = document.getElementById("unread");
  if (target) {
    target.classList.add("is-target");
    target.scrollIntoView({ block: "center" });
  } else if (unread) unread.scrollIntoView({ block: "start" });
  else if (log.isAtNewest) log.scrollToBottom();
}
open();
// Off-screen messages get their true height only when they come into view: once more, after the first layout.
requestAnimationFrame(open);

// --- live messages ----------------------------------------------------------------------------------------------------

const jump = document.getElementById("jump-down");
let lastTopic = chat.dataset.topic || document.querySelector("#log .message:last-of-type")?.dataset.topic || "";

// What is too long for the news is fetched; where that fails, catching up brings it.
async function show({ number, html }) {
  const whole = html || (await log.fetch({ only: number }).catch(() => null))?.html;
  if (!whole) {
    log.missed.add(number);
    return catchUp();
  }
  log.steady(() => log.insert(whole));
}

events.on("MessagePosted", async (news) => {
  if (news.channel_id !== channelId) return;
  if (!document.querySelector(`#topics [data-topic-id="${news.topic_id}"]`)) reloadTopics();
  if (!log.isAtNewest) {
    jump.hidden = false;
    return;
  }
  await show(news);
  if (!log.isNearBottom) jump.hidden = false;
  readSoon();
});

events.on("MessageChanged", (news) => {
  if (news.channel_id === channelId && log.find(news.message_id)) show(news);
});

log.refresh = (number) => show({ number });

let catchingUp = null;
let isDueAgain = false;
function catchUp() {
  if (catchingUp) {
    isDueAgain = true; // what is under way may have been answered before this was said
    return;
  }
  catchingUp = log
    .catchUp()
    .catch(() => setTimeout(catchUp, 3000))
    .finally(() => {
      catchingUp = null;
      if (isDueAgain) catchUp();
      isDueAgain = false;
    });
}
events.onResync(() => {
  catchUp();
  reloadTopics();
});

jump.addEventListener("click", () => {
  if (log.isAtNewest) log.scrollToBottom();
  else location.href = chat.dataset.topicId ? `${chat.dataset.url}?topic=${chat.dataset.topicId}` : chat.dataset.url;
});

// --- what has been read -----------------------------------------------------------------------------------------------

let readTo = Number(chat.dataset.readTo);
let readTimer = null;

function read() {
  readTimer = null;
  // Reading one topic says nothing about the others.
  if (document.hidden || !document.hasFocus() || !log.isNearBottom || !log.isAtNewest || chat.dataset.topicId) return;
  const number = log.lastNumber;
  if (number <= readTo || events.state !== "online") return;
  events.command("chat.mark_read", { channel_id: channelId, number }).then(
    () => (readTo = Math.max(readTo, number)),
    () => {}, // told again with the next message or when the window is looked at
  );
}

function readSoon() {
  readTimer ??= setTimeout(read, 800);
}

log.log.addEventListener("scroll", () => {
  if (log.isNearBottom && log.isAtNewest) jump.hidden = true;
  readSoon();
}, { passive: true });
window.addEventListener("focus", readSoon);
events.onState((state) => state === "online" && readSoon());

// --- topics -----------------------------------------------------------------------------------------------------------

const topics = document.getElementById("topics");
let topicsTimer = null;

function reloadTopics() {
  topicsTimer ??= setTimeout(async () => {
    topicsTimer = null;
    const html = await fragment(topics.dataset.url);
    if (html !== null) document.getElementById("topic-list").innerHTML = html; // our own server's piece, escaped there
  }, 500);
}

// --- who is here ------------------------------------------------------------------------------------------------------

const STATES = { active: "here", idle: "away from the keyboard" };

function showPeople() {
  for (const item of document.querySelectorAll("#people li")) {
    const seen = events.people.get(Number(item.dataset.userId));
    item.dataset.state = seen?.state ?? "gone";
    item.title = seen ? `${STATES[seen.state]}${seen.place ? `, in ${seen.place}` : ""}` : "not here";
    item.querySelector("[data-state-words]").textContent = item.title;
  }
}
window.addEventListener("pa:presence", showPeople);
showPeople();

// --- the composer -----------------------------------------------------------------------------------------------------

const composer = document.getElementById("composer");
if (composer) {
  const field = document.getElementById("text");
  const topic = document.getElementById("topic");
  const note = document.getElementById("composer-note");
  const draftKey = `draft:${me.id}:${channelId}:${chat.dataset.topicId}`;
  new Completion({ field, list: document.getElementById("completion"), url: chat.dataset.mentionsUrl });
  topic.value ||= lastTopic;
  topic.addEventListener("focus", () => {
    const names = [...topics.querySelectorAll("[data-topic-id]")].map((one) => new Option("", one.textContent));
    document.getElementById("topic-names").replaceChildren(...names);
  });
  field.value = sessionStorage.getItem(draftKey) ?? "";

  const say = (text, isBad = false) => {
    note.textContent = text;
    note.classList.toggle("is-bad", isBad);
  };
  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  const outbox = new Outbox({
    log,
    me,
    channelId,
    onReply: ({ notices }) => notices.forEach((text) => notify(text, "warn")),
    onFailure: (error) => say(error.message, true),
    onEdit: (item) => {
      field.value = [field.value, item.text].filter(Boolean).join("\n");
      field.dispatchEvent(new Event("input"));
      field.focus();
    },
  });

  field.addEventListener("input", () => {
    fit();
    sessionStorage.setItem(draftKey, field.value);
    say("");
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      composer.requestSubmit();
    } else if (event.key === "ArrowUp" && !field.value) {
      const mine = log.articles().filter((a) => a.dataset.authorId === String(me.id) && !a.classList.contains("is-deleted")).at(-1);
      mine?.querySelector('[data-act="edit"]')?.click();
    }
  });
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trimEnd();
    if (!text.trim()) return;
    if (!log.isAtNewest) {
      // Seen from the middle of history, a new message would vanish: go to the newest first, with the draft kept.
      jump.click();
      return;
    }
    lastTopic = topic.value;
    outbox.add({ text, topic: topic.value.trim() });
    field.value = "";
    sessionStorage.removeItem(draftKey);
    fit();
    say(events.state === "online" ? "" : "It is sent as soon as the connection is back.");
  });
  events.onState((state) => state === "online" && say(""));
  fit();
  if (matchMedia("(hover: hover)").matches && !location.hash) field.focus({ preventScroll: true });
}
