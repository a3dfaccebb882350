// CodeMirror set up once for the whole product: the editor, the merge view and the hunk editor share it.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers, rectangularSelection,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const nonce = document.querySelector('meta[name="csp-nonce"]')?.content ?? "";

/** Extensions for any code view. `label` is what a screen reader calls it. */
export function codeExtensions({ label, isReadOnly = false }) {
  return [
    EditorView.cspNonce.of(nonce),
    lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), foldGutter(), drawSelection(),
    EditorState.allowMultipleSelections.of(true), indentOnInput(), syntaxHighlighting(classHighlighter), bracketMatching(), closeBrackets(),
    autocompletion(), rectangularSelection(), highlightActiveLine(), highlightSelectionMatches(),
    EditorState.readOnly.of(isReadOnly), indentUnit.of("    "),
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, indentWithTab]),
  ];
}
