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
    this.isGone = false;
    this.language = new Compartment();
    this.code = new Compartment();
    this.separator = new Compartment();
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
          this.code.of(this.#codeExtensions()),
          this.separator.of(EditorState.lineSeparator.of(file.line_separator)),
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
    this.#colour();
  }

  #codeExtensions() {
    return codeExtensions({ label: `Editor, ${this.path}`, isReadOnly: this.isReadOnly });
  }

  #colour() {
    const { path } = this;
    languageFor(path).then((extension) => path === this.path && this.view?.dispatch({ effects: this.language.reconfigure(extension) }));
  }

  /** Go on under the name that the file has now, with what is not saved yet. */
  moveTo(path) {
    this.path = path;
    this.isGone = false;
    if (!this.view) return;
    this.view.dispatch({ effects: this.code.reconfigure(this.#codeExtensions()) });
    this.#colour();
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
    if (!this.view) return; // closed meanwhile
    this.version = saved.version;
    this.base = text;
    this.isStale = false;
    this.isGone = false;
    this.isDirty = text !== this.text;
    if (!this.isDirty) {
      this.#auditNoMore();
      this.showAudit(saved.audit);
    }
    this.onChange(this);
  }

  /** Take the version on disk into the view, when nothing unsaved would be lost. */
  async reload() {
    const { path, version } = this;
    const file = await api("GET", "file", { query: { path } }).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    });
    // Closed, moved or saved meanwhile: then this answer is an old one, and the news of that brings the next.
    if (!this.view || path !== this.path || version !== this.version) return;
    this.isGone = !file;
    if (file && file.version !== version && file.text !== null) {
      if (!this.isDirty) this.#replace(file);
      else this.isStale = true;
    }
    this.onChange(this);
  }

  #replace(file) {
    this.#take(file);
    this.#splitLinesAt(file.line_separator);
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: this.view.state.toText(file.text) } });
    this.isDirty = false;
    this.isStale = false;
    this.showAudit(file.audit);
  }

  #splitLinesAt(separator) {
    this.view.dispatch({ effects: this.separator.reconfigure(EditorState.lineSeparator.of(separator)) });
  }

  /** Take merged lines that are based on `theirs`, whose line ends and encoding they keep; they still have to be saved. */
  takeMerged(lines, theirs) {
    this.#take(theirs);
    this.#splitLinesAt(theirs.line_separator);
    this.isStale = false;
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: lines } });
  }

  close() {
    this.#auditNoMore();
    this.auditRequest?.abort();
    this.view?.destroy();
    this.view = null;
  }
}
