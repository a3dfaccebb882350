//! Half-typed source: hides the part that is broken, so that what is whole can be parsed without it.
//!
//! The parser recovers inside a statement, but an open bracket lets it read the next `def` as part of an expression, and
//! from there on nothing makes sense. A person sees by the indentation where the broken function ends; so does this.

use std::ops::Range;

/// Return a text of the same length in which the function or the lines around `error` are blank, and where the blank
/// begins; `None` when there is nothing to hide. Line ends stay, so every offset and line number still holds.
pub fn hide_broken_part(text: &str, error: usize) -> Option<(String, usize)> {
    let lines = lines_of(text);
    let at = lines.iter().rposition(|line| line.range.start <= error)?;
    let hidden = broken_lines(&lines, at, error)?;
    let (first, last) = (&lines[hidden.start], &lines[hidden.end - 1]);
    let mut bytes = text.as_bytes().to_vec();
    for byte in &mut bytes[first.range.start..last.range.end] {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    // The block around it may have nothing else in it.
    let pass = first.range.start + first.indent..first.range.start + first.indent + b"pass".len();
    if pass.end <= first.range.end {
        bytes[pass].copy_from_slice(b"pass");
    }
    let hidden = String::from_utf8(bytes).ok()?;
    (hidden != text).then_some((hidden, first.range.start + first.indent))
}

struct Line<'a> {
    text: &'a str,
    range: Range<usize>,
    indent: usize,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.len() == self.indent
    }

    fn starts_function(&self) -> bool {
        let code = &self.text[self.indent..];
        code.starts_with("def ") || code.starts_with("async def ")
    }

    /// Such a line never continues an expression.
    fn starts_definition(&self) -> bool {
        let code = &self.text[self.indent..];
        self.starts_function() || code.starts_with("class ") || code.starts_with('@')
    }
}

fn lines_of(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split('\n')
        .map(|line| {
            let range = start..start + line.len();
            start = range.end + 1;
            let line = line.trim_end_matches('\r');
            Line {
                text: line,
                range,
                indent: line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len(),
            }
        })
        .collect()
}

/// Lines of which at least one is not blank; `None` when nothing but blank lines leads to the error.
fn broken_lines(lines: &[Line], at: usize, error: usize) -> Option<Range<usize>> {
    // The parser stumbles over a definition's first token when what stands before it has no end.
    let is_before = lines[at].starts_definition() && error <= lines[at].range.start + lines[at].indent;
    let culprit = if is_before { at.saturating_sub(1) } else { at };
    let culprit = lines[..=culprit].iter().rposition(|line| !line.is_blank())?;
    let start = function_around(lines, culprit).unwrap_or_else(|| paragraph_start(lines, culprit));
    let indent = lines[start].indent;
    let is_end = |line: &Line| line.starts_definition() && line.indent <= indent;
    let end = lines[culprit + 1..].iter().position(is_end).map_or(lines.len(), |after| culprit + 1 + after);
    Some(start..end)
}

/// The innermost `def` that the indentation puts around a line, or that stands in it.
fn function_around(lines: &[Line], inner: usize) -> Option<usize> {
    let mut indent = lines[inner].indent;
    if lines[inner].starts_function() {
        return Some(inner);
    }
    for (at, line) in lines[..inner].iter().enumerate().rev().filter(|(_, line)| !line.is_blank()) {
        if line.indent < indent {
            if line.starts_function() {
                return Some(at);
            }
            indent = line.indent;
        }
    }
    None
}

/// The first of the lines above that belong to no function and no other definition.
fn paragraph_start(lines: &[Line], last: usize) -> usize {
    let indent = lines[last].indent;
    let is_border = |line: &Line| line.is_blank() || line.indent > indent || line.starts_definition();
    lines[..last].iter().rposition(is_border).map_or(0, |border| border + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &str, needle: &str) -> String {
        let (hidden, _) = hide_broken_part(text, text.find(needle).unwrap()).unwrap();
        hidden.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn hides_the_function_before_a_definition_that_made_the_parser_stumble() {
        let text = "def a():\n  x = (1 +\n\ndef b():\n  y\n";
        assert_eq!(hide(text, "def b"), "pass\n\n\ndef b():\n  y");
    }

    #[test]
    fn hides_a_method_and_leaves_its_class() {
        let text = "class A:\n  def a(self):\n    if x\n      y\n  def b(self): pass\n";
        assert_eq!(hide(text, "\n      y"), "class A:\n  pass\n\n\n  def b(self): pass");
    }

    #[test]
    fn hides_nothing_where_only_blank_lines_lead_to_the_error() {
        assert!(hide_broken_part("\n\n  \n", 2).is_none());
        assert!(hide_broken_part("\n  @a(\n", 1).is_none());
    }

    #[test]
    fn hides_lines_outside_of_functions() {
        let text = "def a():\n  b\nx = 1\ny = [\n\ndef c():\n  d\n";
        assert_eq!(hide(text, "def c"), "def a():\n  b\npass\n\n\ndef c():\n  d");
    }
}
