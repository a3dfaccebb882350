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
mod parsing;
mod qualified;
mod rules;
mod rust;
mod typescript;
mod walk;

use std::sync::OnceLock;

use super::FileAudit;
use super::lines::LineStarts;
use super::raw::count_lines;
use crate::errors::Diagnosis;
use compiled::Compiled;
use parsing::parse;
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

/// Beyond this a file is data or generated. The worst of this size takes half a gigabyte while it is parsed.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

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
    Some(audit_header(text, compiled("c")?, compiled("cpp")?))
}

/// Words of C++; in a comment they do no harm, since C++ reads nearly all of C.
const HINTS_OF_CPP: [&str; 5] = ["class ", "namespace ", "template", "public:", "::"];

fn audit_header(text: &str, c: &Compiled, cpp: &Compiled) -> FileAudit {
    let is_cpp = HINTS_OF_CPP.iter().any(|hint| text.contains(hint));
    let (likely, other) = if is_cpp { (cpp, c) } else { (c, cpp) };
    let first = audit_with(text, likely);
    if first.errors.is_empty() {
        return first;
    }
    let second = audit_with(text, other);
    if second.errors.len() < first.errors.len() { second } else { first }
}

fn compiled(language: &str) -> Option<&'static Compiled> {
    static COMPILED: [OnceLock<Compiled>; GRAMMARS.len()] = [const { OnceLock::new() }; GRAMMARS.len()];
    let at = GRAMMARS.iter().position(|grammar| grammar.name == language)?;
    Some(COMPILED[at].get_or_init(|| Compiled::new(GRAMMARS[at])))
}

fn audit_with(text: &str, compiled: &Compiled) -> FileAudit {
    let language = Some(compiled.grammar.name);
    let Some(tree) = parse(text, compiled.grammar) else {
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
