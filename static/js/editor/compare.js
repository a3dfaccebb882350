// An old version beside the present one, read-only.
import { MergeView } from "@codemirror/merge";
import { EditorView } from "@codemirror/view";
import { codeExtensions } from "./code.js";
import { languageFor } from "./languages.js";

/** Show `old` (a DocumentOut) beside `text`. */
export async function compareDialog(old, text, commit) {
  const dialog = document.getElementById("compare-dialog");
  dialog.querySelector("h2").textContent = `${old.path} in ${commit.sha.slice(0, 8)}, and now`;
  const place = dialog.querySelector(".merge-place");
  place.replaceChildren();
  const language = await languageFor(old.path);
  const view = new MergeView({
    parent: place,
    a: { doc: old.text ?? old.why_not, extensions: [codeExtensions({ label: `In commit ${commit.sha.slice(0, 8)}`, isReadOnly: true }), EditorView.lineWrapping, language] },
    b: { doc: text, extensions: [codeExtensions({ label: "Now", isReadOnly: true }), EditorView.lineWrapping, language] },
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
  dialog.showModal();
  dialog.addEventListener("close", () => view.destroy(), { once: true });
}
