//! Measures source code: complexity per function, maintainability of a file, raw counts, and what does not parse.

mod c901;
mod checks;
mod files;
mod halstead;
mod limits;
mod lines;
mod maintainability;
mod numbers;
mod outline;
mod python_source;
mod radon;
mod raw;
mod recovery;
mod source;
mod tree;
mod walk;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

pub use files::Root;
pub use halstead::HalsteadReport;
pub use outline::{Outline, Symbol};
pub use raw::RawCounts;

use crate::errors::Diagnosis;

/// What is known of one function or method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionAudit {
    /// As Python's `__qualname__`: `Class.method`, `outer.<locals>.inner`.
    pub qualname: String,
    /// Where the name itself begins in `qualname`.
    pub name_start: usize,
    /// `function`, `method`, or `closure` when it stands inside another function.
    pub kind: &'static str,
    pub is_async: bool,
    /// The line of the name, counted from 1: where ruff reports.
    pub line: u32,
    pub end_line: u32,
    pub cyclomatic: u32,
    pub cyclomatic_mccabe: u32,
    pub complexity_radon: u32,
}

impl FunctionAudit {
    pub fn name(&self) -> &str {
        &self.qualname[self.name_start..]
    }
}

/// What is known of one source. Figures of the whole file are absent when it does not parse.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileAudit {
    pub language: Option<&'static str>,
    pub functions: Vec<FunctionAudit>,
    pub maintainability_index: Option<f64>,
    pub complexity_radon: Option<u32>,
    pub halstead: Option<HalsteadReport>,
    pub raw: RawCounts,
    pub errors: Vec<Diagnosis>,
}

/// Beyond this a file is data. The worst of this size, such as all null bytes, takes 650 MB while it is parsed.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Return the language that a path's ending tells.
pub fn language_of(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "py" | "pyi" | "pyw" => Some("python"),
        _ => None,
    }
}

/// Audit a source of a language (`None`: not known, only lines are counted). Any bytes give an answer.
pub fn audit(bytes: &[u8], language: Option<&'static str>) -> FileAudit {
    guarded(language, || {
        let decoded = source::decode(bytes);
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

/// Audit files on `threads` threads (`None`: one per core), in the order of the paths.
///
/// A file that cannot be read has a diagnosis. Fails only when the threads cannot be started.
pub fn audit_paths(paths: &[PathBuf], root: &Root, threads: Option<usize>) -> Result<Vec<FileAudit>, String> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .thread_name(|index| format!("codehealth-{index}"))
        .build()
        .map_err(|error| error.to_string())?;
    Ok(pool.install(|| paths.par_iter().map(|path| audit_path(path, root)).collect()))
}

fn audit_path(path: &Path, root: &Root) -> FileAudit {
    let language = language_of(path);
    match root.read(path) {
        Ok(bytes) => audit(&bytes, language),
        Err(error) => FileAudit {
            language,
            errors: vec![Diagnosis::of_file(error.to_string())],
            ..FileAudit::default()
        },
    }
}

fn guarded(language: Option<&'static str>, audit: impl FnOnce() -> FileAudit) -> FileAudit {
    catch_unwind(AssertUnwindSafe(audit)).unwrap_or_else(|_| FileAudit {
        language,
        errors: vec![Diagnosis::of_file("the audit of this file broke down; please report it as a defect")],
        ..FileAudit::default()
    })
}

fn audit_unguarded(text: &str, language: Option<&'static str>) -> FileAudit {
    let is_too_large = text.len() > MAX_BYTES;
    let mut audit = match language {
        Some("python") if !is_too_large => python_source::audit_text(text),
        _ => FileAudit { raw: raw::count_lines(text), ..FileAudit::default() },
    };
    audit.language = language;
    if is_too_large && language.is_some() {
        let message = format!("larger than {} MiB, only its lines are counted", MAX_BYTES >> 20);
        audit.errors.push(Diagnosis::of_file(message));
    }
    audit
}
