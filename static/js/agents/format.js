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

const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb]/g;

/** Return what a model writes with control and invisible characters as signs; ends are kept, beginnings are cut. */
export function visible(text, limit = 20_000) {
  const kept = text.length > limit ? `… ${(text.length - limit).toLocaleString()} characters earlier\n${text.slice(-limit)}` : text;
  return kept.replaceAll("\r\n", "\n").replace(ODD, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}
