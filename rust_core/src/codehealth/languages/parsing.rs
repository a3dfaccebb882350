//! Parses a text, unless that takes out of proportion to its length.
//!
//! Recovery from nonsense can take time quadratic in its length, and memory with it: some 350 MB for each second.

use std::ops::ControlFlow;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use super::compiled::Compiled;

/// Real files take 0.1 to 0.6 µs of processor time a byte.
const TIME_FOR_ANY: Duration = Duration::from_millis(500);
const TIME_PER_BYTE: Duration = Duration::from_micros(2);

/// While it is open whether `<` compares or begins type arguments, the parser keeps both readings, which brackets settle;
/// what is still open at the end it copies for each reading, within one step that cannot be stopped. Measured: up to 6 bytes
/// for each `<` and each byte of a stretch without brackets.
const MAX_DOUBTS: usize = 60_000_000;

/// Parse a text; `None` when that would take too long.
pub fn parse(text: &str, compiled: &Compiled) -> Option<Tree> {
    let bytes = text.as_bytes();
    if compiled.grammar.has_open_generics && doubts(bytes) > MAX_DOUBTS {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&compiled.language).expect("the grammars fit the library");
    let end = processor_time() + TIME_FOR_ANY + TIME_PER_BYTE * bytes.len() as u32;
    let mut ask = |_: &ParseState| {
        if processor_time() < end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut ask);
    parser.parse_with_options(&mut |offset, _| &bytes[offset.min(bytes.len())..], None, Some(options))
}

/// The greatest product, over the stretches between brackets, of a stretch's length and the `<` in it.
fn doubts(bytes: &[u8]) -> usize {
    let stretches = bytes.split(|byte| matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}'));
    let doubts = stretches.map(|stretch| memchr::memchr_iter(b'<', stretch).count() * stretch.len());
    doubts.max().unwrap_or(0)
}

/// What this thread has used of a processor, so that a busy machine refuses nothing.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
