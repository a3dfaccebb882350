//! Audits of many files at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::cache::{Cache, Key, key_of};
use super::files::Root;
use super::listing::{Skipped, list};
use super::{FileAudit, MAX_BYTES, audit, is_broken_down, language_of};
use crate::errors::Diagnosis;

/// Audit files on `threads` threads (`None`: one per core), in the order of the paths.
///
/// A file that cannot be read has a diagnosis. Fails only when the threads cannot be started.
pub fn audit_paths(
    paths: &[PathBuf],
    root: &Root,
    threads: Option<usize>,
    cache: Option<&Cache>,
) -> Result<Vec<FileAudit>, String> {
    let audits =
        pool(threads)?.install(|| paths.par_iter().map(|path| audit_path(path, root, cache)).collect());
    save(cache);
    Ok(audits)
}

/// How far an audit is; another thread may read it, and end the audit.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicUsize,
    total: AtomicUsize,
    is_cancelled: AtomicBool,
}

impl Progress {
    /// How many files are done, and of how many; 0 of 0 while the tree is listed.
    pub fn counts(&self) -> (usize, usize) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

/// One file of a tree.
#[derive(Debug)]
pub struct ListedAudit {
    pub path: PathBuf,
    /// Equal keys mean equal audits.
    pub key: Key,
    pub audit: FileAudit,
}

/// What is known of a tree; everything in the order of the paths.
#[derive(Debug, Default)]
pub struct WorkspaceAudit {
    pub files: Vec<ListedAudit>,
    /// Files whose audit the caller has already.
    pub unchanged: Vec<PathBuf>,
    pub skipped: Vec<Skipped>,
    pub from_cache: usize,
    pub is_truncated: bool,
    pub is_cancelled: bool,
}

/// How to audit a tree.
#[derive(Default)]
pub struct Options<'a> {
    /// `None`: one per core.
    pub threads: Option<usize>,
    pub cache: Option<&'a Cache>,
    /// The keys of audits that the caller has, by path.
    pub known: HashMap<PathBuf, Key>,
}

/// Audit every file beneath `root` that its .gitignore files do not exclude.
///
/// A cancelled audit returns what was done until then. Fails only when the threads cannot be started.
pub fn audit_workspace(
    root: &Root,
    options: &Options,
    progress: &Progress,
) -> Result<WorkspaceAudit, String> {
    let pool = pool(options.threads)?;
    let listing = list(root, || progress.is_cancelled());
    progress.total.store(listing.files.len(), Ordering::Relaxed);
    let audit_one = |path: PathBuf| {
        if progress.is_cancelled() {
            return None;
        }
        let outcome = audit_listed(path, root, options);
        progress.done.fetch_add(1, Ordering::Relaxed);
        Some(outcome)
    };
    let outcomes: Vec<_> = pool.install(|| listing.files.into_par_iter().filter_map(audit_one).collect());
    let mut found = WorkspaceAudit {
        skipped: listing.skipped,
        from_cache: options.cache.map_or(0, Cache::hits),
        is_truncated: listing.is_truncated,
        is_cancelled: progress.is_cancelled(),
        ..WorkspaceAudit::default()
    };
    for outcome in outcomes {
        match outcome {
            Outcome::Audited(file) => found.files.push(file),
            Outcome::Unchanged(path) => found.unchanged.push(path),
            Outcome::Skipped(file) => found.skipped.push(file),
        }
    }
    found.skipped.sort_by(|one, other| one.path.cmp(&other.path));
    save(options.cache);
    Ok(found)
}

enum Outcome {
    Audited(ListedAudit),
    Unchanged(PathBuf),
    Skipped(Skipped),
}

fn pool(threads: Option<usize>) -> Result<ThreadPool, String> {
    ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .thread_name(|index| format!("codehealth-{index}"))
        .build()
        .map_err(|error| error.to_string())
}

// Without what this run adds, the next one is only slower.
fn save(cache: Option<&Cache>) {
    let _ = cache.map(Cache::save);
}

fn audit_path(path: &Path, root: &Root, cache: Option<&Cache>) -> FileAudit {
    let language = language_of(path);
    match root.read(path) {
        Ok(bytes) => audit_cached(&bytes, language, cache, || key_of(&bytes, language)),
        Err(error) => FileAudit {
            language,
            errors: vec![Diagnosis::of_file(error.to_string())],
            ..FileAudit::default()
        },
    }
}

/// Git's own test looks for a null byte this far.
const BYTES_THAT_TELL_BINARY: usize = 8000;

fn audit_listed(path: PathBuf, root: &Root, options: &Options) -> Outcome {
    let language = language_of(&path);
    let bytes = match root.read_at_most(&path, MAX_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Skipped(Skipped { path, reason: error.to_string() }),
    };
    if language.is_none() && bytes.iter().take(BYTES_THAT_TELL_BINARY).any(|byte| *byte == 0) {
        return Outcome::Skipped(Skipped { path, reason: "binary".to_string() });
    }
    let key = key_of(&bytes, language);
    if options.known.get(&path) == Some(&key) {
        return Outcome::Unchanged(path);
    }
    let audit = audit_cached(&bytes, language, options.cache, || key);
    Outcome::Audited(ListedAudit { path, key, audit })
}

// Counting the lines of what has no language costs less than looking it up.
fn audit_cached(
    bytes: &[u8],
    language: Option<&'static str>,
    cache: Option<&Cache>,
    key: impl FnOnce() -> Key,
) -> FileAudit {
    let Some(cache) = cache.filter(|_| language.is_some() && bytes.len() <= MAX_BYTES) else {
        return audit(bytes, language);
    };
    let key = key();
    cache.get(&key).unwrap_or_else(|| {
        let found = audit(bytes, language);
        if !is_broken_down(&found) {
            cache.put(key, &found);
        }
        found
    })
}
