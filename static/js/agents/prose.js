// An agent's answer as people read it: paragraphs, lists, code. What it holds stays text, whatever it is.
import { html } from "lit";

const INLINE = /(`[^`\n]+`|\*\*[^*\n]+\*\*)/;

function inline(text) {
  return text.split(INLINE).map((piece) => {
    if (piece.length > 2 && piece.startsWith("`") && piece.endsWith("`")) return html`<code>${piece.slice(1, -1)}</code>`;
    if (piece.length > 4 && piece.startsWith("**") && piece.endsWith("**")) return html`<strong>${piece.slice(2, -2)}</strong>`;
    return piece;
  });
}

const kindOf = (line) => (/^\s*[-*] /.test(line) ? "list" : line.trim() ? "text" : "none");

function block({ kind, lines }) {
  if (kind === "code") return html`<pre>${lines.join("\n")}</pre>`;
  if (kind === "list") return html`<ul>${lines.map((line) => html`<li>${inline(line.replace(/^\s*[-*] /, ""))}</li>`)}</ul>`;
  return html`<p>${inline(lines.join("\n"))}</p>`;
}

/** Return templates for `text`, whose control characters have been made visible. */
export function prose(text) {
  const blocks = [];
  let isCode = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      isCode = !isCode;
      blocks.push({ kind: isCode ? "code" : "none", lines: [] });
      continue;
    }
    const kind = isCode ? "code" : kindOf(line);
    if (blocks.at(-1)?.kind !== kind) blocks.push({ kind, lines: [] });
    blocks.at(-1).lines.push(line);
  }
  return blocks.filter(({ kind }) => kind !== "none").map(block);
}
