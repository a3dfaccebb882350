// xterm writes <style> elements and style attributes, which our Content-Security-Policy refuses without a nonce.
const nonce = document.querySelector('meta[name="csp-nonce"]')?.content ?? "";

function allowed(element) {
  if (element.localName === "style") element.nonce = nonce;
  if (element.localName === "span") {
    const setAttribute = element.setAttribute.bind(element);
    // What a page may do through an element's `style`, it may not do through the attribute.
    element.setAttribute = (name, value) => (name === "style" ? (element.style.cssText = value) : setAttribute(name, value));
  }
  return element;
}

/** The document as xterm is to see it: what it creates may style itself. */
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

/** Call `work` while `document.createElement` gives style elements our nonce: xterm's scroll bar does not ask the override. */
export function whileStylesAllowed(work) {
  document.createElement = (...args) => allowed(Document.prototype.createElement.apply(document, args));
  try {
    work();
  } finally {
    delete document.createElement;
  }
}
