//! Lines: where they start for Python's parser, and how `str.splitlines` and `str.strip` see them.

use ruff_text_size::TextSize;

/// The start of every line, as Python's parser counts lines (`\n`, `\r\n`, `\r`).
pub struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<u32>,
}

impl<'a> LineStarts<'a> {
    pub fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = Vec::with_capacity(bytes.len() / 32 + 1);
        starts.push(0);
        for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            if bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n') {
                starts.push(at as u32 + 1);
            }
        }
        Self { text, starts }
    }

    /// Each line with its end; none after the last line end.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> {
        let ends = self.starts[1..].iter().copied().chain([self.text.len() as u32]);
        let ranges = self.starts.iter().zip(ends).filter(|(start, end)| **start < *end);
        ranges.map(|(start, end)| &self.text[*start as usize..end as usize])
    }

    /// The line of an offset, counted from 1.
    pub fn line(&self, offset: TextSize) -> u32 {
        self.starts.partition_point(|start| *start <= offset.to_u32()) as u32
    }

    /// Line and column of an offset, both counted from 1, the column in characters.
    pub fn line_column(&self, offset: TextSize) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts[line as usize - 1] as usize;
        let column = self.text[start..offset.to_usize()].chars().count() as u32 + 1;
        (line, column)
    }
}

/// How many lines a piece of text has, and how many of them are blank.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LineCount {
    pub total: u32,
    pub blank: u32,
}

/// Counts lines as Python's `str.splitlines` does, which knows more line ends than its parser: form feed, U+2028, …
#[derive(Clone, Copy)]
pub struct LineCounter {
    has_rare_ends: bool,
}

impl LineCounter {
    pub fn for_text(text: &str) -> Self {
        // Without a way out inside a piece, the compiler makes it look at many bytes at once.
        let may_begin_one = |found, byte: &u8| {
            found
                | (*byte == b'\r')
                | (byte.wrapping_sub(0x0b) < 2)
                | (byte.wrapping_sub(0x1c) < 3)
                | (*byte == 0xc2)
                | (*byte == 0xe2)
        };
        let mut pieces = text.as_bytes().chunks(4096);
        let has_rare_ends =
            pieces.any(|piece| piece.iter().fold(false, may_begin_one)) && text.contains(is_rare_end);
        Self { has_rare_ends }
    }

    /// Count the lines of a piece that ends before its last line end; the empty piece is one blank line.
    pub fn count(self, piece: &str) -> LineCount {
        let mut count = LineCount::default();
        let mut add = |line: &str| {
            count.total += 1;
            count.blank += u32::from(is_blank(line));
        };
        if self.has_rare_ends {
            piece.replace("\r\n", "\n").split(|c| c == '\n' || is_rare_end(c)).for_each(&mut add);
        } else {
            let mut start = 0;
            for at in memchr::memchr_iter(b'\n', piece.as_bytes()) {
                add(&piece[start..at]);
                start = at + 1;
            }
            add(&piece[start..]);
        }
        count
    }
}

fn is_rare_end(c: char) -> bool {
    matches!(c, '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether `line.strip()` is empty. Python's idea of white space has four control characters more than Rust's.
fn is_blank(line: &str) -> bool {
    line.chars().all(|c| c.is_whitespace() || matches!(c, '\x1c'..='\x1f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_lines_and_columns_in_characters() {
        let lines = LineStarts::new("a\r\né = 1\rb");
        assert_eq!(lines.line_column(TextSize::new(0)), (1, 1));
        assert_eq!(lines.line_column(TextSize::new(5)), (2, 2));
        assert_eq!(lines.line_column(TextSize::new(10)), (3, 1));
    }

    #[test]
    fn counts_form_feeds_as_line_ends() {
        let text = "a\n\x0c\nb";
        assert_eq!(LineCounter::for_text(text).count(text), LineCount { total: 4, blank: 2 });
    }

    #[test]
    fn counts_crlf_once() {
        let text = "a\r\n \r\nb";
        assert_eq!(LineCounter::for_text(text).count(text), LineCount { total: 3, blank: 1 });
    }
}
