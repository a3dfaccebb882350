// Somebody else saved a newer version: both stand side by side, mine can be edited, and nothing is lost until the person decides.
import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { api } from "../lib/api.js";
import { codeExtensions } from "./code.js";
import { languageFor } from "./languages.js";

// Where the file was deleted or moved away there is nothing to compare with; saving makes it anew.
const nothing = ({ encoding, lineSeparator }) => ({ text: "", version: null, encoding, line_separator: lineSeparator });

/** Return {lines, theirs} when the person merged, or null when they went back. */
export async function mergeDialog(document_) {
  const theirs = await api("GET", "file", { query: { path: document_.path } }).catch((error) => {
    if (error.status !== 404) throw error;
    return nothing(document_);
  });
  const language = await languageFor(document_.path);
  const dialog = document.getElementById("merge-dialog");
  const place = dialog.querySelector(".merge-place");
  place.replaceChildren();
  dialog.querySelector("h2").textContent = theirs.version ? "Somebody saved a newer version" : "This file was deleted or moved away";
  const wrap = [EditorView.lineWrapping, EditorState.lineSeparator.of(theirs.line_separator), language];
  const merge = new MergeView({
    parent: place,
    a: { doc: theirs.text ?? "", extensions: [codeExtensions({ label: "Their saved version", isReadOnly: true }), wrap] },
    b: { doc: document_.view.state.doc, extensions: [codeExtensions({ label: "Your version, to be saved" }), wrap] },
    revertControls: "a-to-b",
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const lines = merge.b.state.doc;
        merge.destroy();
        resolve(dialog.returnValue === "merge" ? { lines, theirs } : null);
      },
      { once: true },
    );
  });
}
