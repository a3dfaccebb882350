// What can be done with a message: react, edit, delete; by mouse, and by keys on the message that has the focus.
import { events } from "../events.js";
import { notify } from "../lib/notify.js";

const EMOJI = ["👍", "❤️", "😄", "🎉", "👀", "✅", "❌", "🤔"];
const NAMES = ["thumbs up", "heart", "smile", "party", "eyes", "done", "no", "thinking"];

export class Actions {
  constructor(log) {
    this.log = log;
    this.picker = this.makePicker();
    log.log.addEventListener("click", (event) => this.click(event));
    log.log.addEventListener("keydown", (event) => this.key(event));
  }

  run(name, args) {
    return events.command(name, args).catch((error) => notify(error.message, "bad"));
  }

  click(event) {
    const article = event.target.closest(".message[data-id]");
    const reaction = event.target.closest(".reaction");
    const action = event.target.closest("[data-act]")?.dataset.act;
    if (!article) return;
    if (reaction) this.toggle(article, reaction.dataset.emoji, reaction.getAttribute("aria-pressed") !== "true");
    else if (action) this.act(action, article, event.target.closest("button"));
  }

  act(action, article, button) {
    if (action === "react") this.openPicker(article, button);
    else if (action === "edit") this.edit(article);
    else if (action === "delete") this.remove(article);
  }

  toggle(article, emoji, isOn) {
    this.run("chat.react", { message_id: Number(article.dataset.id), emoji, is_on: isOn });
  }

  remove(article) {
    if (confirm("Delete this message? Its place in the conversation stays.")) this.run("chat.delete_message", { message_id: Number(article.dataset.id) });
  }

  key(event) {
    const article = event.target.closest?.(".message");
    if (event.target.closest("input, textarea, button, a, run-card") || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...this.log.log.querySelectorAll(".message")];
    if (event.key === "j" || event.key === "k") {
      const at = article ? all.indexOf(article) + (event.key === "j" ? 1 : -1) : all.length - 1;
      all[Math.max(0, Math.min(all.length - 1, at))]?.focus();
    } else if (article?.dataset.id && ["e", "r", "Delete"].includes(event.key)) {
      const action = { e: "edit", r: "react", Delete: "delete" }[event.key];
      const button = article.querySelector(`[data-act="${action}"]:not([hidden])`);
      if (!button) return;
      this.act(action, article, button);
    } else return;
    event.preventDefault();
  }

  // --- reacting -----------------------------------------------------------------------------------------------------

  makePicker() {
    const picker = document.createElement("div");
    picker.className = "emoji-picker";
    picker.popover = "auto";
    picker.setAttribute("role", "group");
    picker.setAttribute("aria-label", "Reactions");
    for (const [at, emoji] of EMOJI.entries()) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: emoji });
      button.setAttribute("aria-label", NAMES[at]);
      button.onclick = () => {
        picker.hidePopover();
        this.toggle(this.target, emoji, true);
      };
      picker.append(button);
    }
    document.body.append(picker);
    return picker;
  }

  openPicker(article, button) {
    this.target = article;
    this.picker.showPopover();
    const at = button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.picker;
    this.picker.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
    this.picker.style.top = `${at.bottom + height > innerHeight ? at.top - height : at.bottom}px`;
    this.picker.firstChild.focus();
  }

  // --- editing ------------------------------------------------------------------------------------------------------

  async edit(article) {
    if (article.querySelector(".message-edit")) return;
    const id = Number(article.dataset.id);
    const data = await this.run("chat.source", { message_id: id });
    if (!data) return;
    const body = article.querySelector(".message-body");
    const form = document.createElement("form");
    form.className = "message-edit";
    const field = document.createElement("textarea");
    field.value = data.text;
    field.rows = Math.min(12, data.text.split("\n").length + 1);
    field.setAttribute("aria-label", "Edit message");
    const row = document.createElement("div");
    row.className = "row";
    const save = Object.assign(document.createElement("button"), { type: "submit", className: "button primary", textContent: "Save" });
    const cancel = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Cancel" });
    row.append(save, cancel);
    form.append(field, row);
    const close = () => {
      form.remove();
      body.hidden = false;
      article.focus();
    };
    cancel.onclick = close;
    field.onkeydown = (event) => {
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) form.requestSubmit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    form.onsubmit = async (event) => {
      event.preventDefault();
      save.disabled = true;
      try {
        if (field.value !== data.text) {
          // Closed first, so that the edited message, which comes by the news, may take this one's place.
          const done = events.command("chat.edit_message", { message_id: id, text: field.value });
          await done;
        }
        close();
        await this.log.refresh(article.dataset.number);
      } catch (error) {
        notify(error.message, "bad");
        save.disabled = false;
      }
    };
    body.hidden = true;
    body.after(form);
    field.focus();
  }
}
