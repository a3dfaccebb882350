// Unified or split: the same HTML either way, so the choice is one attribute, remembered on this device.
const NAME = "review-layout";

export function setUpLayout(root) {
  const choices = root.querySelectorAll("[data-layout-choice]");
  const show = (layout) => {
    root.dataset.layout = layout;
    for (const choice of choices) choice.setAttribute("aria-pressed", String(choice.dataset.layoutChoice === layout));
  };
  for (const choice of choices) {
    choice.addEventListener("click", () => {
      localStorage.setItem(NAME, choice.dataset.layoutChoice);
      show(choice.dataset.layoutChoice);
    });
  }
  const kept = localStorage.getItem(NAME);
  show(["unified", "split"].includes(kept) ? kept : "auto");
}
