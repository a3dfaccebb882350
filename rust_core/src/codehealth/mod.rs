//! Measures source code: complexity per function, maintainability of a file, raw counts, and what does not parse.

mod batch;
mod c901;
mod cache;
mod calls;
mod checks;
mod cognitive;
mod files;
mod halstead;
mod languages;
mod limits;
mod lines;
mod listing;
mod maintainability;
mod numbers;
mod outline;
mod python_source;
mod radon;
mod raw;
mod recovery;
mod scopes;
mod source;
mod static_names;
mod tree;
mod walk;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use batch::{ListedAudit, Options, Progress, WorkspaceAudit, audit_paths, audit_workspace};
pub use cache::{Cache, Key};
pub use files::Root;
pub use halstead::{HalsteadCounts, HalsteadReport};
pub use listing::Skipped;
pub use outline::{Outline, Symbol};
pub use raw::RawCounts;

use crate::errors::Diagnosis;
use static_names::StaticName;

/// What is known of one function or method.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionAudit {
    /// As Python's `__qualname__`: `Class.method`, `outer.<locals>.inner`.
    pub qualname: String,
    /// Where the name itself begins in `qualname`.
    pub name_start: usize,
    /// `function`, `method`, or `closure` when it stands inside another function.
    #[serde(with = "static_names")]
    pub kind: StaticName,
    pub is_async: bool,
    /// The line of the name, counted from 1: where ruff reports.
    pub line: u32,
    pub end_line: u32,
    /// As ruff counts Python's C901, and as lizard counts other languages.
    pub cyclomatic: u32,
    /// These two are Python's alone.
    pub cyclomatic_mccabe: Option<u32>,
    pub complexity_radon: Option<u32>,
    /// By Sonar's paper; nested functions count in the function around them too.
    pub cognitive: u32,
    /// How deep blocks stand one inside another.
    pub nesting: u32,
    pub parameters: u32,
    /// How many different names it calls.
    pub fan_out: u32,
    /// `None`: no operators are counted for the language.
    pub halstead: Option<HalsteadCounts>,
}

impl FunctionAudit {
    pub fn name(&self) -> &str {
        &self.qualname[self.name_start..]
    }

    /// From the line of the name to the last one.
    pub fn lines(&self) -> u32 {
        self.end_line.saturating_sub(self.line) + 1
    }
}

/// What is known of one source. Figures of the whole file are absent when it does not parse.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileAudit {
    #[serde(with = "static_names::optional")]
    pub language: Option<StaticName>,
    pub functions: Vec<FunctionAudit>,
    pub maintainability_index: Option<f64>,
    pub complexity_radon: Option<u32>,
    pub halstead: Option<HalsteadCounts>,
    pub raw: RawCounts,
    pub errors: Vec<Diagnosis>,
}

/// Beyond this a file is data. The worst of this size, such as all null bytes, takes 650 MB while it is parsed.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Return the language that a path's ending tells.
pub fn language_of(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "py" | "pyi" | "pyw" => Some("python"),
        ending => languages::language_of_ending(ending),
    }
}

/// Return the language of a name that `audit` takes; `None` when there is no audit for it.
pub fn language_named(name: &str) -> Option<&'static str> {
    if name == "python" { Some("python") } else { languages::language_named(name) }
}

/// Audit a source of a language (`None`: not known, only lines are counted). Any bytes give an answer.
pub fn audit(bytes: &[u8], language: Option<&'static str>) -> FileAudit {
    guarded(language, || {
        let decoded =
            if language == Some("python") { source::decode(bytes) } else { source::decode_plain(bytes) };
        let mut audit = audit_unguarded(&decoded.text, language);
        audit.errors.extend(decoded.problem);
        audit
    })
}

/// Audit a source that is text already, whatever a coding cookie in it says.
pub fn audit_text(text: &str, language: Option<&'static str>) -> FileAudit {
    guarded(language, || audit_unguarded(text.strip_prefix('\u{feff}').unwrap_or(text), language))
}

/// Outline a Python source. Any bytes give an answer.
pub fn outline(bytes: &[u8]) -> Outline {
    let outlined = catch_unwind(|| {
        let decoded = source::decode(bytes);
        if decoded.text.len() > MAX_BYTES { Outline::default() } else { outline::outline_text(&decoded.text) }
    });
    outlined.unwrap_or_default()
}

fn guarded(language: Option<&'static str>, audit: impl FnOnce() -> FileAudit) -> FileAudit {
    catch_unwind(AssertUnwindSafe(audit)).unwrap_or_else(|_| FileAudit {
        language,
        errors: vec![Diagnosis::of_file(BROKEN_DOWN)],
        ..FileAudit::default()
    })
}

const BROKEN_DOWN: &str = "the audit of this file broke down; please report it as a defect";

fn is_broken_down(audit: &FileAudit) -> bool {
    audit.errors.first().is_some_and(|error| error.message == BROKEN_DOWN)
}

fn audit_unguarded(text: &str, language: Option<&'static str>) -> FileAudit {
    let limit = if language == Some("python") { MAX_BYTES } else { languages::MAX_BYTES };
    let is_too_large = text.len() > limit;
    let audited = match language {
        _ if is_too_large => None,
        Some("python") => Some(FileAudit { language: Some("python"), ..python_source::audit_text(text) }),
        Some(other) => languages::audit_text(text, other),
        None => None,
    };
    let mut audit = audited.unwrap_or_else(|| FileAudit {
        language,
        raw: raw::count_lines(text),
        ..FileAudit::default()
    });
    if is_too_large && language.is_some() {
        let message = format!("larger than {} MiB, only its lines are counted", limit >> 20);
        audit.errors.push(Diagnosis::of_file(message));
    }
    audit
}
