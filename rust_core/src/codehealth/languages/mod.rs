//! The audit of every language but Python: one walker, a table per language, maintained tree-sitter grammars.

mod c;
mod compiled;
mod cpp;
mod faults;
mod frames;
mod go;
mod java;
mod javascript;
mod line_marks;
mod names;
mod qualified;
mod rules;
mod rust;
mod typescript;
mod walk;

use std::ops::ControlFlow;
use std::sync::OnceLock;

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use super::FileAudit;
use super::lines::LineStarts;
use super::raw::count_lines;
use crate::errors::Diagnosis;
use compiled::Compiled;
use rules::Grammar;

const GRAMMARS: [&Grammar; 8] = [
    &javascript::JAVASCRIPT,
    &typescript::TYPESCRIPT,
    &typescript::TSX,
    &rust::RUST,
    &go::GO,
    &java::JAVA,
    &c::C,
    &cpp::CPP,
];

/// A header may be either; it is read as the one that fits better.
pub const HEADER: &str = "c/c++ header";

/// Return the language that a file ending tells, one of `NAMES`.
pub fn language_of_ending(ending: &str) -> Option<&'static str> {
    Some(match ending {
        "js" | "mjs" | "cjs" | "jsx" => "javascript",
        "ts" | "mts" | "cts" => "typescript",
        "tsx" => "tsx",
        "rs" => "rust",
        "go" => "go",
        "java" => "java",
        "c" => "c",
        "h" => HEADER,
        "cc" | "cpp" | "cxx" | "c++" | "hh" | "hpp" | "hxx" | "h++" | "ipp" => "cpp",
        _ => return None,
    })
}

/// Return the language of a name that `audit_text` knows.
pub fn language_named(name: &str) -> Option<&'static str> {
    let names = GRAMMARS.iter().map(|grammar| grammar.name).chain([HEADER]);
    names.into_iter().find(|known| *known == name)
}

/// Audit a text in a language of this module; `None` for any other language.
pub fn audit_text(text: &str, language: &str) -> Option<FileAudit> {
    if language != HEADER {
        return Some(audit_with(text, compiled(language)?));
    }
    let as_c = audit_with(text, compiled("c")?);
    if as_c.errors.is_empty() {
        return Some(as_c);
    }
    let as_cpp = audit_with(text, compiled("cpp")?);
    Some(if as_cpp.errors.len() < as_c.errors.len() { as_cpp } else { as_c })
}

fn compiled(language: &str) -> Option<&'static Compiled> {
    static COMPILED: [OnceLock<Compiled>; GRAMMARS.len()] = [const { OnceLock::new() }; GRAMMARS.len()];
    let at = GRAMMARS.iter().position(|grammar| grammar.name == language)?;
    Some(COMPILED[at].get_or_init(|| Compiled::new(GRAMMARS[at])))
}

fn audit_with(text: &str, compiled: &Compiled) -> FileAudit {
    let language = Some(compiled.grammar.name);
    let Some(tree) = parse(text, compiled) else {
        let problem = Diagnosis::of_file("too tangled to be parsed, only its lines are counted");
        return FileAudit { language, raw: count_lines(text), errors: vec![problem], ..FileAudit::default() };
    };
    let lines = LineStarts::new(text);
    let walked = walk::walk(text, &tree, compiled, &lines);
    FileAudit {
        language,
        functions: walked.functions,
        raw: walked.marks.counts(&lines),
        errors: walked.faults.diagnoses,
        ..FileAudit::default()
    }
}

/// The parser asks leave after each hundred operations. Real files ask once per … bytes; recovery from nonsense asks more.
const LEAVES_FOR_ANY: usize = 10_000;
const LEAVES_PER_BYTE: usize = 1;

/// Parse a text; `None` when that would take out of proportion to its length.
fn parse(text: &str, compiled: &Compiled) -> Option<Tree> {
    let bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_language(&compiled.language).expect("the grammars fit the library");
    let mut leaves = LEAVES_FOR_ANY + LEAVES_PER_BYTE * bytes.len();
    let mut ask = |_: &ParseState| match leaves.checked_sub(1) {
        Some(left) => {
            leaves = left;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut ask);
    parser.parse_with_options(&mut |offset, _| &bytes[offset.min(bytes.len())..], None, Some(options))
}
