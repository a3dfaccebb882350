// xterm writes <style> elements and style attributes, which our Content-Security-Policy refuses without a nonce.
const nonce = document.querySelector('meta[name="csp-nonce"]')?.content ?? "";

function allowed(element) {
  if (element.localName === "style") element.nonce = nonce;
  return element;
}

/** The document as xterm is to see it: the style elements it creates carry our nonce. */
export function cspDocument() {
  return new Proxy(document, {
    get(target, name) {
      if (name === "createElement") return (...args) => allowed(target.createElement(...args));
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

/** Open `terminal` in `place`. Its scroll bar creates a style element without asking the document it was given. */
export function openUnderPolicy(terminal, place) {
  document.createElement = (...args) => allowed(Document.prototype.createElement.apply(document, args));
  try {
    terminal.open(place);
  } finally {
    delete document.createElement;
  }
  // True colours are written as a style attribute. The same through `style` is allowed. xterm has no setting for it, so this
  // reaches inside; the browser test on colours fails when an update moves it.
  const rows = terminal._core._renderService._renderer.value._rowFactory;
  rows._addStyle = (element, style) => (element.style.cssText += `${style};`);
}
