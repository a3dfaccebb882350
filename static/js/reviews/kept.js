// What a person sees of the review stays as it is when a piece of it comes afresh: what is open, and what it is compared with.

/** Every request of the page says which revision it is compared with. */
export function keepComparison(root) {
  const { comparedWith } = root.dataset;
  if (!comparedWith) return;
  document.addEventListener("htmx:config:request", (event) => {
    const request = event.detail.ctx?.request ?? event.detail;
    if (request?.headers) request.headers["X-Compared-With"] = comparedWith;
  });
}

const FOLDED = "details[id]:not(.rv-panel)";

/** A `<details>` with an id stays as open as the person saw it or left it, also when its successor comes closed. */
export function keepOpen(root) {
  const known = new Map();
  const keep = (details) => {
    if (!known.has(details.id)) known.set(details.id, details.open);
    else if (details.open !== known.get(details.id)) details.open = known.get(details.id);
  };
  root.querySelectorAll(FOLDED).forEach(keep);
  root.addEventListener("click", ({ target }) => {
    const details = target.closest("summary")?.parentElement;
    if (details?.matches(FOLDED)) known.set(details.id, !details.open); // it toggles after the click
  });
  // htmx gives what it swaps in the attributes of its predecessor for a moment, and takes them back: `open` is watched, too.
  new MutationObserver((records) => {
    for (const { addedNodes, target, type } of records) {
      if (type === "attributes" && target.matches(FOLDED)) keep(target);
      for (const node of addedNodes) node.querySelectorAll?.(FOLDED).forEach(keep);
    }
  }).observe(root, { childList: true, subtree: true, attributeFilter: ["open"] });
}
