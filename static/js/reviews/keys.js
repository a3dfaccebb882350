// Single keys, when nobody is typing and no dialog is open.

/** Return whether keys belong to this element: a field, an editor, a menu. */
export function isTyping(element) {
  return Boolean(element?.closest?.("input, textarea, select, [contenteditable='true'], .cm-editor, dialog, [data-busy]"));
}

/** Call the function of a key; `bindings` is an object of functions by key. */
export function whenKey(bindings) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const action = bindings[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
