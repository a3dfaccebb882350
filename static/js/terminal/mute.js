// What a program writes must never make the terminal type into the shell, rename the page or touch the clipboard: a file with
// the right bytes in it would otherwise run commands when somebody looks at it. So every question is swallowed.

const CSI = [
  { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" }, // device attributes
  { final: "n" }, { prefix: "?", final: "n" }, { prefix: ">", final: "n" }, // status, cursor position
  { final: "t" }, // window size, title
  { final: "x" }, // terminal parameters
  { prefix: ">", final: "q" }, // version
  { prefix: "?", final: "u" }, // keyboard protocol
  { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" }, // mode
  { intermediates: "$", final: "w" }, { intermediates: "*", final: "y" }, // presentation, checksum
];
const DCS = [{ intermediates: "$", final: "q" }, { intermediates: "+", final: "q" }]; // settings, termcap
const OSC_TITLES = [0, 1, 2, 9, 52, 99, 777]; // titles, notifications, clipboard
const OSC_COLOURS = [4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]; // asked with “?”
const FOCUS_REPORTS = 1004;

/** Register handlers on `terminal` that swallow what it would answer. */
export function muteReplies(terminal) {
  const { parser } = terminal;
  for (const id of CSI) parser.registerCsiHandler(id, () => true);
  for (const id of DCS) parser.registerDcsHandler(id, () => true);
  for (const id of OSC_TITLES) parser.registerOscHandler(id, () => true);
  for (const id of OSC_COLOURS) parser.registerOscHandler(id, (data) => data.split(";").includes("?"));
  // Switching focus reports on answers at once; whatever else is switched on with them is kept.
  parser.registerCsiHandler({ prefix: "?", final: "h" }, (params) => {
    const modes = params.flat();
    if (!modes.includes(FOCUS_REPORTS)) return false;
    const others = modes.filter((mode) => mode !== FOCUS_REPORTS);
    if (others.length) terminal.write(`\x1b[?${others.join(";")}h`);
    return true;
  });
}
