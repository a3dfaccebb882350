// One open file: its CodeMirror state, the version it is based on, saving, and the merge when somebody else saved first.
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { api } from "../lib/api.js";
import { codeExtensions } from "./code.js";
import { healthGutter, showAudit } from "./health.js";
import { languageFor } from "./languages.js";

// Figures follow the typing; where the server is slow they are asked for less often, so that nobody's typing keeps it busy.
const QUICK_MS = 60;
const SHORTEST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 400;

export class OpenDocument {
  constructor(path, { isReadOnly, onChange, onAudit, onCursor }) {
    this.path = path;
    this.isReadOnly = isReadOnly;
    this.onChange = onChange;
    this.onAudit = onAudit;
    this.onCursor = onCursor;
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
          EditorView.updateListener.of((update) => {
            if (update.docChanged) this.#changed(update.changes);
            else if (update.selectionSet) this.onCursor(this);
          }),
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

  /** The line of the cursor, from 1. */
  get line() {
    return this.view.state.doc.lineAt(this.view.state.selection.main.head).number;
  }

  #changed(changes) {
    this.isDirty = true;
    this.changesSinceAsked = this.changesSinceAsked ? this.changesSinceAsked.compose(changes) : changes;
    this.changedAt = performance.now();
    this.onChange(this);
    this.#auditSoon();
  }

  // A key does not put off what the key before it has asked for: who types on would see no figures.
  #auditSoon() {
    this.auditTimer ??= setTimeout(() => this.#auditBuffer(), this.auditPauseMs ?? SHORTEST_PAUSE_MS);
  }

  #auditNoMore() {
    clearTimeout(this.auditTimer);
    this.auditTimer = null;
  }

  // One request at a time: what was typed meanwhile is asked about when its answer is there. An answer about a text that has
  // moved on is shown where its lines have gone to.
  async #auditBuffer() {
    this.auditTimer = null;
    if (this.auditRequest) return;
    this.auditRequest = new AbortController();
    const { changedAt } = this;
    const { doc } = this.view.state;
    const askedAt = performance.now();
    this.changesSinceAsked = null;
    try {
      const audit = await api("POST", "files/audit", { body: { path: this.path, text: this.text }, signal: this.auditRequest.signal });
      const tookMs = performance.now() - askedAt;
      this.auditPauseMs = tookMs < QUICK_MS ? SHORTEST_PAUSE_MS : Math.min(tookMs, LONGEST_PAUSE_MS);
      this.showAudit(audit, { doc, changes: this.changesSinceAsked });
      // How far the figures were behind the last key that they know of: for the browser's own tools, and the tests.
      requestAnimationFrame(() => performance.measure("audit-behind", { start: changedAt }));
    } catch (error) {
      if (error.name !== "AbortError" && error.code !== "offline") throw error;
    } finally {
      this.auditRequest = null;
      if (changedAt !== this.changedAt && this.view) this.#auditSoon();
    }
  }

  showAudit(audit, measured = {}) {
    this.audit = audit;
    showAudit(this.view, audit, measured);
    this.onAudit(this);
  }

  /** Save; throws ApiError, with code `version_conflict` when somebody saved a newer version. */
  async save() {
    const text = this.text;
    const saved = await api("PUT", "file", { body: { path: this.path, text, encoding: this.encoding, expected: this.version } });
    this.version = saved.version;
    this.base = text;
    this.isStale = false;
    this.isDirty = text !== this.text;
    if (!this.isDirty) {
      this.#auditNoMore();
      this.showAudit(saved.audit);
    }
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
    this.#auditNoMore();
    this.auditRequest?.abort();
    this.view?.destroy();
    this.view = null;
  }
}
