// One open file: its CodeMirror state, the version it is based on, saving, and the merge when somebody else saved first.
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { api } from "../lib/api.js";
import { codeExtensions } from "./code.js";
import { healthGutter, showAudit } from "./health.js";
import { languageFor } from "./languages.js";

const AUDIT_DELAY_MS = 250;

export class OpenDocument {
  constructor(path, { isReadOnly, onChange, onAudit }) {
    this.path = path;
    this.isReadOnly = isReadOnly;
    this.onChange = onChange;
    this.onAudit = onAudit;
    this.isDirty = false;
    this.isStale = false;
    this.language = new Compartment();
  }

  /** Load from the server and build the view into `parent`. */
  async open(parent) {
    const file = await api("GET", "file", { query: { path: this.path } });
    this.#take(file);
    if (file.text === null) {
      this.whyNot = file.why_not;
      return;
    }
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        doc: file.text,
        extensions: [
          codeExtensions({ label: `Editor, ${this.path}`, isReadOnly: this.isReadOnly }),
          EditorState.lineSeparator.of(file.line_separator),
          this.language.of([]),
          healthGutter,
          EditorView.updateListener.of((update) => update.docChanged && this.#changed()),
        ],
      }),
    });
    showAudit(this.view, file.audit);
    this.audit = file.audit;
    languageFor(this.path).then((extension) => this.view?.dispatch({ effects: this.language.reconfigure(extension) }));
  }

  #take(file) {
    this.version = file.version;
    this.encoding = file.encoding;
    this.lineSeparator = file.line_separator;
    this.base = file.text;
  }

  get text() {
    return this.view.state.sliceDoc();
  }

  #changed() {
    this.isDirty = true;
    this.onChange(this);
    clearTimeout(this.auditTimer);
    this.auditTimer = setTimeout(() => this.#auditBuffer(), AUDIT_DELAY_MS);
  }

  async #auditBuffer() {
    this.auditRequest?.abort();
    this.auditRequest = new AbortController();
    const text = this.text;
    try {
      const audit = await api("POST", "files/audit", { body: { path: this.path, text }, signal: this.auditRequest.signal });
      if (text === this.text) this.showAudit(audit);
    } catch (error) {
      if (error.name !== "AbortError" && error.code !== "offline") throw error;
    }
  }

  showAudit(audit) {
    this.audit = audit;
    showAudit(this.view, audit);
    this.onAudit(this);
  }

  /** Save; throws ApiError, with code `version_conflict` when somebody saved a newer version. */
  async save() {
    const text = this.text;
    const saved = await api("PUT", "file", { body: { path: this.path, text, encoding: this.encoding, expected: this.version } });
    clearTimeout(this.auditTimer);
    this.auditRequest?.abort();
    this.version = saved.version;
    this.base = text;
    this.isStale = false;
    this.isDirty = text !== this.text;
    this.showAudit(saved.audit);
    this.onChange(this);
  }

  /** Take the version on disk into the view, when nothing unsaved would be lost. */
  async reload() {
    const file = await api("GET", "file", { query: { path: this.path } });
    if (file.version === this.version || file.text === null) return;
    if (this.isDirty) {
      this.isStale = true;
      this.onChange(this);
      return;
    }
    this.#replace(file);
  }

  #replace(file) {
    this.#take(file);
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: this.view.state.toText(file.text) } });
    this.isDirty = false;
    this.isStale = false;
    this.showAudit(file.audit);
    this.onChange(this);
  }

  /** Take a merged text that is based on `version`; it still has to be saved. */
  takeMerged(text, version) {
    this.version = version;
    this.isStale = false;
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: this.view.state.toText(text) } });
  }

  close() {
    clearTimeout(this.auditTimer);
    this.auditRequest?.abort();
    this.view?.destroy();
  }
}
