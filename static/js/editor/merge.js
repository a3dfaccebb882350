// Somebody else saved a newer version: both stand side by side, mine can be edited, and nothing is lost until the person decides.
import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { api } from "../lib/api.js";
import { codeExtensions } from "./code.js";
import { languageFor } from "./languages.js";

/** Return {text, version} when the person merged, or null when they went back. */
export async function mergeDialog(document_) {
  const theirs = await api("GET", "file", { query: { path: document_.path } });
  const language = await languageFor(document_.path);
  const dialog = document.getElementById("merge-dialog");
  const place = dialog.querySelector(".merge-place");
  place.replaceChildren();
  const wrap = [EditorView.lineWrapping, EditorState.lineSeparator.of(document_.lineSeparator), language];
  const merge = new MergeView({
    parent: place,
    a: { doc: theirs.text ?? "", extensions: [codeExtensions({ label: "Their saved version", isReadOnly: true }), wrap] },
    b: { doc: document_.text, extensions: [codeExtensions({ label: "Your version, to be saved" }), wrap] },
    revertControls: "a-to-b",
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const text = merge.b.state.sliceDoc();
        merge.destroy();
        resolve(dialog.returnValue === "merge" ? { text, version: theirs.version } : null);
      },
      { once: true },
    );
  });
}
