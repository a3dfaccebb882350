// Files that come when they are nearly in view. Each is asked for once: an answer that came twice would undo what was decided
// in between, to the eye.
const AHEAD = "600px";

/** Fetch the hunks that stand behind this placeholder. */
export function ask(lazy) {
  if (lazy.dataset.asked) return;
  lazy.dataset.asked = "yes";
  window.htmx.trigger(lazy, "fetchnow");
}

export function setUpLazy(root) {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        observer.unobserve(entry.target);
        ask(entry.target);
      }
    },
    { rootMargin: AHEAD },
  );
  for (const lazy of root.querySelectorAll(".rv-lazy")) observer.observe(lazy);
}
