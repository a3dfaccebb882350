// Small formats, the same as the server's: durations, tokens, cost, and text that may contain anything.

export function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
}

export function tokens(count) {
  if (!count) return "";
  return count < 10_000 ? `${count} tokens` : `${(count / 1000).toFixed(1)}k tokens`;
}

/** Return the cost, or “unknown price”: never 0 for unknown. */
export function cost(usd) {
  if (usd === null || usd === undefined) return "unknown price";
  return usd > 0 && usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

// As on the server: joiners stay inside words and emoji that are written with them, and so do the two selectors of emoji.
const ODD =
  /[\u{0}-\u{8}\u{b}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}-\u{180f}\u{200b}\u{200e}\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{fe00}-\u{fe0d}\u{feff}\u{ffa0}\u{fff9}-\u{fffb}\u{e0000}-\u{e01ef}]|(?<![\u{300}-\u{10ffff}])[\u{200c}\u{200d}]|[\u{200c}\u{200d}](?![\u{300}-\u{10ffff}])/gu;
const NAMES = { 0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x0b: "VT", 0x0c: "FF", 0x0d: "CR", 0x1b: "ESC", 0x7f: "DEL" };

/** Return what a model writes with control and invisible characters as signs; ends are kept, beginnings are cut. */
export function visible(text, limit = 20_000) {
  const kept = text.length > limit ? `… ${(text.length - limit).toLocaleString()} characters earlier\n${text.slice(-limit)}` : text;
  return kept.replaceAll("\r\n", "\n").replace(ODD, (char) => {
    const code = char.codePointAt(0);
    return `⟨${NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}⟩`;
  });
}
