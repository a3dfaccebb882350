//! How deep a source may nest before it is refused, so that any input costs bounded memory and time.
//!
//! The parser grows its stack as it goes down and the walk does too, so depth costs memory, and nested f-strings cost the
//! lexer time quadratic in their depth. A weighted depth is bounded from above on the tokens; for nearly every file a
//! sum over its bytes already shows that the bound cannot be reached.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// One unit is a token in a chain, such as `a + a`: some 600 bytes of tree and stack while it is walked.
const MAX_WEIGHTED_DEPTH: u32 = 250_000;
/// A bracket costs the parser about 2.7 KB of stack, a prefix operator or a keyword 1.4 KB. (Measured.)
const BRACKET_WEIGHT: u32 = 8;
const PREFIX_WEIGHT: u32 = 4;
/// CPython allows 150.
const MAX_FSTRING_DEPTH: u32 = 200;
const BRACES_WORTH_A_LOOK: usize = 500;

/// Defaults of lambdas are the one place where the parser recurses without growing its stack: `lambda a=lambda b=…`.
const BYTES_PER_LAMBDA: usize = if cfg!(debug_assertions) { 32 * 1024 } else { 4 * 1024 };
const LAMBDAS_SAFE_ANYWHERE: usize = 16;

/// Return why the text nests too deeply to be parsed, `None` when it may be.
pub fn nesting_problem(text: &str) -> Option<String> {
    // No byte weighs more than a bracket.
    let is_short = text.len() <= (MAX_WEIGHTED_DEPTH / BRACKET_WEIGHT) as usize;
    let is_shallow = is_short || weight_of_bytes(text.as_bytes()) <= u64::from(MAX_WEIGHTED_DEPTH);
    if is_shallow && has_few_braces(text.as_bytes()) {
        return None;
    }
    let mut gauge = DepthGauge::new();
    let mut tokens = lexer::lex(text, Mode::Module);
    loop {
        match tokens.next_token() {
            TokenKind::EndOfFile => return None,
            kind => gauge.read(kind),
        }
        if gauge.depth > MAX_WEIGHTED_DEPTH {
            return Some("nested too deeply to be parsed".to_string());
        }
        if gauge.fstring_depth > MAX_FSTRING_DEPTH {
            return Some(format!("f-strings nested more than {MAX_FSTRING_DEPTH} deep"));
        }
    }
}

/// Run `parse` with enough stack for what the parser does not guard itself.
pub fn with_stack_to_parse<T>(text: &str, parse: impl FnOnce() -> T) -> T {
    let lambdas = memchr::memmem::find_iter(text.as_bytes(), b"lambda").count();
    if lambdas <= LAMBDAS_SAFE_ANYWHERE {
        return stacker::maybe_grow(256 * 1024, 1024 * 1024, parse);
    }
    // The gauge bounds how many of them can be nested.
    let nested = lambdas.min((MAX_WEIGHTED_DEPTH / PREFIX_WEIGHT) as usize);
    let bytes = nested * BYTES_PER_LAMBDA;
    stacker::maybe_grow(bytes + 256 * 1024, bytes + 1024 * 1024, parse)
}

/// A sum that no depth in these bytes can exceed: each token is made of at least one of the bytes that have a weight.
///
/// Without a table or a branch, so that the compiler makes it work on many bytes at once.
fn weight_of_bytes(bytes: &[u8]) -> u64 {
    let Some(first) = bytes.first() else { return 0 };
    let mut sum = u64::from(weight_of_byte(b' ', *first));
    for (before, these) in bytes.chunks(CHUNK_BYTES).zip(bytes[1..].chunks(CHUNK_BYTES)) {
        let weights = before.iter().zip(these).map(|(before, byte)| weight_of_byte(*before, *byte));
        sum += u64::from(weights.fold(0_u16, |sum, weight| sum + u16::from(weight)));
    }
    sum
}

/// The weights of so many bytes fit into 16 bits.
const CHUNK_BYTES: usize = 1024;

fn weight_of_byte(before: u8, byte: u8) -> u8 {
    let is_bracket = (byte == b'(') | (byte == b'[') | (byte == b'{');
    // A word counts once, where it begins.
    let is_new = (byte > b' ') & (byte != 0x7f) & !(is_word(before) & is_word(byte));
    PREFIX_WEIGHT as u8 * u8::from(is_new) + (BRACKET_WEIGHT - PREFIX_WEIGHT) as u8 * u8::from(is_bracket)
}

fn is_word(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    is_letter | (byte.wrapping_sub(b'0') < 10) | (byte == b'_') | (byte >= 0x80)
}

fn has_few_braces(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'{', bytes).nth(BRACES_WORTH_A_LOOK).is_none()
}

/// One open bracket or f-string.
struct Level {
    closer: TokenKind,
    /// Weight of the tokens since the last comma.
    chain: u32,
    /// Weight of what a comma does not end: `lambda a, b: lambda c, d: …`.
    sticky: u32,
    is_in_fstring: bool,
}

/// Bounds the depth of the tree from above while tokens pass.
///
/// A closing bracket that does not match is ignored: the parser's recovery may or may not unwind there.
struct DepthGauge {
    levels: Vec<Level>,
    depth: u32,
    fstring_depth: u32,
    /// Whether a `-` that comes next is a binary one.
    is_after_operand: bool,
}

impl DepthGauge {
    fn new() -> Self {
        let statement = Level { closer: TokenKind::Newline, chain: 0, sticky: 0, is_in_fstring: false };
        Self { levels: vec![statement], depth: 0, fstring_depth: 0, is_after_operand: false }
    }

    fn read(&mut self, kind: TokenKind) {
        match kind {
            TokenKind::Lpar => self.open(TokenKind::Rpar),
            TokenKind::Lsqb => self.open(TokenKind::Rsqb),
            TokenKind::Lbrace => self.open(TokenKind::Rbrace),
            TokenKind::FStringStart => self.open(TokenKind::FStringEnd),
            TokenKind::TStringStart => self.open(TokenKind::TStringEnd),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => self.close(kind),
            TokenKind::FStringEnd | TokenKind::TStringEnd => self.close(kind),
            TokenKind::Newline => self.end_statement(),
            TokenKind::NonLogicalNewline | TokenKind::Comment => {}
            TokenKind::Comma | TokenKind::Semi => {
                let level = self.innermost();
                let chain = std::mem::take(&mut level.chain);
                self.depth -= chain;
            }
            TokenKind::Lambda | TokenKind::Async => {
                self.innermost().sticky += PREFIX_WEIGHT;
                self.depth += PREFIX_WEIGHT;
            }
            _ => self.extend_chain(weight_of(kind, self.is_after_operand)),
        }
        if kind != TokenKind::NonLogicalNewline {
            self.is_after_operand = ends_operand(kind);
        }
    }

    fn innermost(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the statement's own level stays")
    }

    // No expression crosses this token, whatever the parser made of the brackets before it.
    fn end_statement(&mut self) {
        self.levels.truncate(1);
        let level = self.innermost();
        (level.chain, level.sticky) = (0, 0);
        (self.depth, self.fstring_depth) = (0, 0);
    }

    fn extend_chain(&mut self, weight: u32) {
        self.innermost().chain += weight;
        self.depth += weight;
    }

    fn open(&mut self, closer: TokenKind) {
        self.extend_chain(BRACKET_WEIGHT);
        let opens_fstring = matches!(closer, TokenKind::FStringEnd | TokenKind::TStringEnd);
        let is_in_fstring = opens_fstring || self.innermost().is_in_fstring;
        self.fstring_depth += u32::from(is_in_fstring);
        self.levels.push(Level { closer, chain: 0, sticky: 0, is_in_fstring });
    }

    fn close(&mut self, closer: TokenKind) {
        if self.innermost().closer != closer {
            return;
        }
        if let Some(level) = self.levels.pop() {
            self.depth -= level.chain + level.sticky;
            self.fstring_depth -= u32::from(level.is_in_fstring);
        }
    }
}

fn weight_of(kind: TokenKind, is_after_operand: bool) -> u32 {
    match kind {
        TokenKind::Minus | TokenKind::Plus | TokenKind::Star if is_after_operand => 1,
        TokenKind::Minus | TokenKind::Plus | TokenKind::Star | TokenKind::Tilde | TokenKind::Not => {
            PREFIX_WEIGHT
        }
        TokenKind::DoubleStar | TokenKind::Await | TokenKind::Yield | TokenKind::From => PREFIX_WEIGHT,
        TokenKind::If | TokenKind::Else | TokenKind::ColonEqual => PREFIX_WEIGHT,
        // Leaves, and operators whose chains are one flat node.
        _ if ends_operand(kind) => 0,
        TokenKind::And | TokenKind::Or | TokenKind::Is | TokenKind::In | TokenKind::Equal => 0,
        TokenKind::EqEqual | TokenKind::NotEqual | TokenKind::Less | TokenKind::LessEqual => 0,
        TokenKind::Greater | TokenKind::GreaterEqual => 0,
        _ => 1,
    }
}

fn ends_operand(kind: TokenKind) -> bool {
    use TokenKind::*;
    matches!(
        kind,
        Name | Int
            | Float
            | Complex
            | String
            | FStringEnd
            | TStringEnd
            | Ellipsis
            | True
            | False
            | None
            | Rpar
            | Rsqb
            | Rbrace
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_a_sum_of_100_000_terms_and_10_000_nested_brackets() {
        assert_eq!(nesting_problem(&format!("x = {}a", "a + ".repeat(100_000))), None);
        assert_eq!(nesting_problem(&format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000))), None);
    }

    #[test]
    fn weighs_brackets_marks_and_beginnings_of_words() {
        let weight = |text: &str| weight_of_bytes(text.as_bytes());
        assert_eq!(weight(""), 0);
        assert_eq!(weight("a"), 4);
        assert_eq!(weight("ab_9é x\n"), 8);
        assert_eq!(weight("(a)"), 16);
        assert_eq!(weight(&"[x] ".repeat(1_000)), 16_000);
        assert_eq!(weight(&"x".repeat(5_000)), 4);
    }

    #[test]
    fn refuses_what_would_take_gigabytes() {
        for unit in [
            "(",
            "[{",
            "f(",
            "-",
            "not ",
            "lambda: ",
            "lambda a, b: ",
            "1 if 1 else ",
            "a**",
            "a.",
            "f(]",
            "a()",
        ] {
            let text = format!("x = {}", unit.repeat(1_000_000));
            assert!(nesting_problem(&text).is_some(), "{unit}");
        }
    }

    #[test]
    fn refuses_deeply_nested_fstrings() {
        let text = format!("x = {}1{}", "f\"{".repeat(1_000), "}\"".repeat(1_000));
        assert!(nesting_problem(&text).unwrap().contains("f-strings"));
        let text = format!("x = f\"{}{}\"", "{x:".repeat(1_000), "}".repeat(1_000));
        assert!(nesting_problem(&text).unwrap().contains("f-strings"));
    }

    #[test]
    fn allows_large_flat_data() {
        let row = "    {'name': -1, 'of': [not a, lambda x: x + 1, f'{a}']},\n";
        assert_eq!(nesting_problem(&format!("x = [\n{}]\n", row.repeat(20_000))), None);
        assert_eq!(nesting_problem(&"def f(a, b):\n    return a.b(c)[d] + -e\n".repeat(50_000)), None);
    }
}
