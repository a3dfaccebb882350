/** Show a passing notice; `level` is good, warn or bad. The shell of the page shows it. */
export function notify(text, level = "") {
  window.dispatchEvent(new CustomEvent("pa:notify", { detail: { text, level } }));
}
