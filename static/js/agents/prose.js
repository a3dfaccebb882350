// An agent's answer as people read it: headings, paragraphs, lists, code, links within this site (see webapp/agents/linking.py).
// What else it holds stays text, whatever it is.
import { html } from "lit";

import { addressOf, LINK } from "./linking.js";

const INLINE = /(`[^`\n]+`|\*\*[^*\n]+\*\*|\[[^[\]\n]{1,200}\]\((?:file|message|review):[^\s()]{1,2000}\))/;

function inline(text, workspaceId) {
  return text.split(INLINE).map((piece) => {
    const link = LINK.exec(piece);
    const address = link && addressOf(link[2], link[3], workspaceId);
    if (address) return html`<a href=${address}>${link[1]}</a>`;
    if (piece.length > 2 && piece.startsWith("`") && piece.endsWith("`")) return html`<code>${piece.slice(1, -1)}</code>`;
    if (piece.length > 4 && piece.startsWith("**") && piece.endsWith("**")) return html`<strong>${piece.slice(2, -2)}</strong>`;
    return piece;
  });
}

const kindOf = (line) => (/^\s*[-*] /.test(line) ? "list" : /^#{1,4} /.test(line) ? "heading" : line.trim() ? "text" : "none");

function block({ kind, lines }, workspaceId) {
  if (kind === "heading") return html`<p><strong>${inline(lines.map((line) => line.replace(/^#+ /, "")).join("\n"), workspaceId)}</strong></p>`;
  if (kind === "code") return html`<pre>${lines.join("\n")}</pre>`;
  if (kind === "list") return html`<ul>${lines.map((line) => html`<li>${inline(line.replace(/^\s*[-*] /, ""), workspaceId)}</li>`)}</ul>`;
  return html`<p>${inline(lines.join("\n"), workspaceId)}</p>`;
}

/** Return templates for `text`, whose control characters have been made visible. */
export function prose(text, workspaceId) {
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
  return blocks.filter(({ kind }) => kind !== "none").map((one) => block(one, workspaceId));
}
