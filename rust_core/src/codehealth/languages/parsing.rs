//! Parses a text, unless that takes out of proportion to its length.
//!
//! Recovery from nonsense, and a `<` or `(` that can be read in two ways until the end, take time and memory quadratic in the
//! length; `guard.c` bounds both.

use std::sync::Once;
use std::time::Duration;

use tree_sitter::Tree;
use tree_sitter::ffi::{TSLanguage, TSTree};

use super::rules::Grammar;

/// Real files take 0.1 to 0.6 µs of processor time a byte, so that a busy machine refuses nothing.
const TIME_FOR_ANY: Duration = Duration::from_millis(500);
const TIME_PER_BYTE: Duration = Duration::from_micros(2);

const MEMORY_FOR_ANY: usize = 64 * 1024 * 1024;
const MEMORY_PER_BYTE: usize = 200;

unsafe extern "C" {
    fn codehealth_guard_allocations();
    fn codehealth_parse(
        language: *const TSLanguage,
        text: *const u8,
        length: u32,
        max_ns: u64,
        max_bytes: usize,
    ) -> *mut TSTree;
}

/// Parse a text; `None` when that would take too much.
pub fn parse(text: &str, grammar: &Grammar) -> Option<Tree> {
    static GUARDED: Once = Once::new();
    // SAFETY: nothing of the library has allocated before: only this function makes its objects.
    GUARDED.call_once(|| unsafe { codehealth_guard_allocations() });
    let length = u32::try_from(text.len()).ok()?;
    let max_time = TIME_FOR_ANY + TIME_PER_BYTE * length;
    let max_bytes = MEMORY_FOR_ANY + MEMORY_PER_BYTE * text.len();
    // SAFETY: the grammar's function gives its language. The text outlives the call, and a tree that comes back is ours.
    unsafe {
        let language = grammar.language.into_raw()().cast::<TSLanguage>();
        let tree = codehealth_parse(language, text.as_ptr(), length, max_time.as_nanos() as u64, max_bytes);
        (!tree.is_null()).then(|| Tree::from_raw(tree))
    }
}
