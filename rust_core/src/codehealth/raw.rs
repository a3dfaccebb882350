//! Radon's raw counts: lines, logical lines, comments, docstrings, blanks.
//!
//! Radon tokenizes the shortest run of lines that makes a whole statement, again and again; that takes time quadratic in
//! the lines of one statement (rubik/radon#223). Here the parser's tokens are read once and cut at the same places.

use ruff_python_ast::token::{Token, TokenKind};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::lines::LineCounter;

/// The fields of `radon.raw.Module`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RawCounts {
    pub loc: u32,
    pub lloc: u32,
    pub sloc: u32,
    pub comments: u32,
    pub multi: u32,
    pub blank: u32,
    pub single_comments: u32,
}

/// Return the counts of a Python source, given the tokens of the whole text, comments and line ends among them.
pub fn count_raw(text: &str, tokens: &[Token]) -> RawCounts {
    let mut counter = Counter::new(text);
    for token in tokens {
        counter.read(token.kind(), token.range());
    }
    counter.finish()
}

/// Return the counts of a Python source that is refused: lines, blanks and comment lines, by looking at lines alone.
pub fn count_raw_unparsed(text: &str) -> RawCounts {
    let mut counts = count_lines(text);
    counts.single_comments = text.lines().filter(|line| line.trim_start().starts_with('#')).count() as u32;
    counts.comments = counts.single_comments;
    counts.sloc = counts.sloc.saturating_sub(counts.single_comments);
    counts
}

/// Return the counts of a text in an unknown language: lines and blanks, nothing else.
pub fn count_lines(text: &str) -> RawCounts {
    if text.is_empty() {
        return RawCounts::default();
    }
    let piece = text.strip_suffix('\n').unwrap_or(text);
    let lines = LineCounter::for_text(text).count(piece);
    RawCounts {
        loc: lines.total,
        sloc: lines.total - lines.blank,
        blank: lines.blank,
        ..RawCounts::default()
    }
}

/// What stands before the next line end that is outside brackets and strings.
#[derive(Default)]
struct Chunk {
    start: TextSize,
    first_token: Option<TextSize>,
    last_end: TextSize,
    comments: u32,
    code_tokens: u32,
    starts_with_string: bool,
    lloc: u32,
    statement: Statement,
}

/// The part of a chunk between two semicolons.
#[derive(Default)]
struct Statement {
    tokens: u32,
    after_last_colon: Option<u32>,
}

struct Counter<'a> {
    text: &'a str,
    lines: LineCounter,
    chunk: Chunk,
    depth: u32,
    string_depth: u32,
    counts: RawCounts,
}

impl<'a> Counter<'a> {
    fn new(text: &'a str) -> Self {
        let (chunk, counts) = (Chunk::default(), RawCounts::default());
        Self { text, lines: LineCounter::for_text(text), chunk, depth: 0, string_depth: 0, counts }
    }

    fn read(&mut self, kind: TokenKind, token: TextRange) {
        match kind {
            TokenKind::Newline => self.end_chunk(token.start(), token.end()),
            TokenKind::NonLogicalNewline if self.depth == 0 => self.end_chunk(token.start(), token.end()),
            TokenKind::NonLogicalNewline | TokenKind::Indent | TokenKind::Dedent | TokenKind::EndOfFile => {}
            TokenKind::Comment => {
                self.counts.comments += 1;
                self.chunk.comments += 1;
                self.chunk.first_token.get_or_insert(token.start());
            }
            _ => self.read_code(kind, token),
        }
    }

    fn read_code(&mut self, kind: TokenKind, token: TextRange) {
        // To the tokenizer that radon runs on, a whole f-string is one token.
        let is_inside_string = self.string_depth > 0;
        self.chunk.last_end = token.end();
        match kind {
            TokenKind::FStringStart | TokenKind::TStringStart => {
                self.string_depth += 1;
                self.depth += 1;
            }
            TokenKind::FStringEnd | TokenKind::TStringEnd => {
                self.string_depth = self.string_depth.saturating_sub(1);
                self.depth = self.depth.saturating_sub(1);
            }
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => self.depth += 1,
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                self.depth = self.depth.saturating_sub(1)
            }
            _ => {}
        }
        if is_inside_string {
            return;
        }
        if self.chunk.code_tokens == 0 {
            self.chunk.first_token.get_or_insert(token.start());
            self.chunk.starts_with_string =
                matches!(kind, TokenKind::String | TokenKind::FStringStart | TokenKind::TStringStart);
        }
        self.chunk.code_tokens += 1;
        match kind {
            TokenKind::Semi => {
                self.chunk.lloc += self.chunk.statement.logical_lines(1);
                self.chunk.statement = Statement::default();
            }
            TokenKind::Colon => {
                self.chunk.statement.tokens += 1;
                self.chunk.statement.after_last_colon = Some(0);
            }
            _ => {
                self.chunk.statement.tokens += 1;
                if let Some(after) = &mut self.chunk.statement.after_last_colon {
                    *after += 1;
                }
            }
        }
    }

    fn end_chunk(&mut self, end: TextSize, next: TextSize) {
        let chunk = std::mem::take(&mut self.chunk);
        self.chunk.start = next;
        let piece = &self.text[chunk.start.to_usize()..end.to_usize()];
        self.counts.lloc += chunk.lloc + chunk.statement.logical_lines(0);
        let is_docstring = chunk.starts_with_string && chunk.code_tokens == 1 && chunk.comments == 0;
        let is_comment = chunk.code_tokens == 0 && chunk.comments == 1;
        if let Some(first) = chunk.first_token
            && (is_comment || (is_docstring && !spans_lines(self.text, first, chunk.last_end)))
        {
            self.counts.single_comments += 1;
            let before = &self.text[chunk.start.to_usize()..first.to_usize()];
            self.counts.blank += self.lines.count(before).total - 1;
            return;
        }
        let lines = self.lines.count(piece);
        self.counts.blank += lines.blank;
        if is_docstring {
            self.counts.multi += lines.total - lines.blank;
        } else {
            self.counts.sloc += lines.total - lines.blank;
        }
    }

    fn finish(mut self) -> RawCounts {
        let end = TextSize::of(self.text);
        if self.chunk.start < end {
            self.end_chunk(end, end);
        }
        let counts = &mut self.counts;
        counts.loc = counts.sloc + counts.blank + counts.multi + counts.single_comments;
        self.counts
    }
}

impl Statement {
    /// Radon looks whether the last colon is the last token but one, since an end marker follows the last statement of
    /// a line. Before a semicolon no marker follows, so there it is one token after the colon that makes it one line.
    fn logical_lines(&self, tokens_after_a_last_colon: u32) -> u32 {
        match self.after_last_colon {
            _ if self.tokens == 0 => 0,
            None => 1,
            Some(after) => 2 - u32::from(after == tokens_after_a_last_colon),
        }
    }
}

fn spans_lines(text: &str, start: TextSize, end: TextSize) -> bool {
    memchr::memchr2(b'\n', b'\r', &text.as_bytes()[start.to_usize()..end.to_usize()]).is_some()
}
