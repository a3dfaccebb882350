// <hunk-editor>: the new side of a hunk in CodeMirror, with git's old side beside the changed lines. Until it is there, and
// where it cannot be, its textarea does the same.
import { unifiedMergeView } from "@codemirror/merge";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { codeExtensions } from "../editor/code.js";
import { languageFor } from "../editor/languages.js";

class HunkEditor extends HTMLElement {
  #view = null;

  async connectedCallback() {
    const field = this.querySelector("textarea");
    if (!field || this.#view) return;
    const language = await languageFor(this.dataset.path);
    if (!this.isConnected || this.#view) return;
    const first = Number(this.dataset.firstLine) || 1;
    const form = field.form;
    const act = (name) => () => {
      form.querySelector(`[data-act="${name}"]`)?.click();
      return true;
    };
    this.#view = new EditorView({
      parent: this,
      state: EditorState.create({
        doc: field.value,
        extensions: [
          Prec.highest(keymap.of([{ key: "Mod-Enter", run: act("save") }, { key: "Escape", run: act("cancel") }])),
          lineNumbers({ formatNumber: (number) => String(number + first - 1) }),
          codeExtensions({ label: `What these lines of ${this.dataset.path} are to be` }),
          language,
          unifiedMergeView({ original: this.querySelector("template[data-before]").content.textContent, mergeControls: false }),
          EditorView.updateListener.of((update) => update.docChanged && (field.value = update.state.doc.toString())),
        ],
      }),
    });
    field.hidden = true;
    this.querySelector("label")?.removeAttribute("for");
    this.#view.focus();
  }

  disconnectedCallback() {
    this.#view?.destroy();
    this.#view = null;
  }
}

customElements.define("hunk-editor", HunkEditor);
