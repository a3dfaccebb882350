// The audit in the margin: each function's complexity at its first line, and where the file does not parse.
import { RangeSet, StateEffect, StateField } from "@codemirror/state";
import { gutter, GutterMarker } from "@codemirror/view";

const setAudit = StateEffect.define();

// What a function is told by; figures that its language does not have are left out.
const WORDS = [
  ["cyclomatic", "complexity"],
  ["cognitive", "cognitive"],
  ["complexity_radon", "radon"],
  ["nesting", "nesting"],
  ["parameters", "parameters"],
];

function figuresOf(one) {
  const figures = WORDS.filter(([name]) => one[name] !== null && one[name] !== undefined).map(([name, word]) => `${word} ${one[name]}`);
  return `${one.qualname}: ${figures.join(", ")}`;
}

class ComplexityMarker extends GutterMarker {
  constructor(functions) {
    super();
    this.functions = functions;
  }
  eq(other) {
    return JSON.stringify(other.functions) === JSON.stringify(this.functions);
  }
  toDOM() {
    const worst = Math.max(...this.functions.map((one) => one.cyclomatic));
    const mark = document.createElement("span");
    mark.className = `health-mark ${worst > 15 ? "bad" : worst > 10 ? "warn" : "good"}`;
    mark.textContent = String(worst);
    mark.title = this.functions.map(figuresOf).join("\n");
    return mark;
  }
}

class FaultMarker extends GutterMarker {
  constructor(message) {
    super();
    this.message = message;
  }
  eq(other) {
    return other.message === this.message;
  }
  toDOM() {
    const mark = document.createElement("span");
    mark.className = "health-mark bad";
    mark.textContent = "!";
    mark.title = this.message;
    return mark;
  }
}

const markers = StateField.define({
  create: () => RangeSet.empty,
  update(set, transaction) {
    let next = set.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(setAudit)) next = effect.value(transaction.state.doc);
    return next;
  },
});

function marks(audit, doc) {
  const byLine = new Map();
  for (const one of audit?.functions ?? []) byLine.set(one.line, [...(byLine.get(one.line) ?? []), one]);
  const ranges = [];
  for (const [line, functions] of byLine) if (line <= doc.lines) ranges.push(new ComplexityMarker(functions).range(doc.line(line).from));
  for (const fault of audit?.errors ?? []) {
    if (fault.line >= 1 && fault.line <= doc.lines) ranges.push(new FaultMarker(fault.message).range(doc.line(fault.line).from));
  }
  return RangeSet.of(ranges, true);
}

/** The gutter; feed it with `showAudit`. */
export const healthGutter = [markers, gutter({ class: "cm-health", markers: (view) => view.state.field(markers), initialSpacer: () => new FaultMarker("") })];

/** Show an audit (AuditOut of the API) in a view's margin: of the text as it is, or of `doc`, which has since undergone `changes`. */
export function showAudit(view, audit, { doc, changes } = {}) {
  const make = (current) => (changes ? marks(audit, doc).map(changes) : marks(audit, current));
  view.dispatch({ effects: setAudit.of(make) });
}

/** Return one line about a file's health for the status bar. */
export function describeAudit(audit) {
  if (!audit) return "";
  // C's preprocessor does not run, so a macro can look like a mistake there.
  const complaint = ["c", "cpp"].includes(audit.language) ? "Not all understood" : "Does not parse";
  if (audit.errors.length) return `${complaint}: line ${audit.errors[0].line}, ${audit.errors[0].message}`;
  const worst = audit.functions.reduce((top, one) => (one.cyclomatic > (top?.cyclomatic ?? 0) ? one : top), null);
  const whole = audit.maintainability_index === null ? `${audit.lines} lines` : `maintainability ${audit.maintainability_index.toFixed(1)}`;
  return worst ? `${whole} · worst ${worst.qualname} (${worst.cyclomatic})` : whole;
}

/** Return the figures of the innermost function around a line, for the status bar; nothing outside of functions. */
export function describeFunction(audit, line) {
  const around = (audit?.functions ?? []).filter((one) => one.line <= line && line <= one.end_line);
  const inner = around.reduce((best, one) => (best && best.line >= one.line ? best : one), null);
  return inner ? figuresOf(inner) : "";
}
