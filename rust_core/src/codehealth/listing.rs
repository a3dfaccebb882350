//! Which files of a tree are worth an audit: regular ones that its .gitignore files do not exclude.
//!
//! The crate that reads .gitignore brings a walk of its own, but that opens files by their path: a tree that people and agents
//! write may hold a .gitignore that is a link out of it, or a pipe that never ends. So this walk opens everything beneath the
//! root's descriptor and takes only the rules' matcher from the crate.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::files::Root;

const MAX_FILES: usize = 200_000;
const MAX_DEPTH: usize = 128;
/// Compiling rules takes time: some 10 µs for each.
const MAX_RULES_FILE_BYTES: u64 = 256 * 1024;
const MAX_RULES: usize = 50_000;

/// What has no figures, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub path: PathBuf,
    pub reason: String,
}

/// The files in a fixed order, relative to the root.
#[derive(Debug, Default)]
pub struct Listing {
    pub files: Vec<PathBuf>,
    pub skipped: Vec<Skipped>,
    /// Whether there are more files than anybody audits.
    pub is_truncated: bool,
}

/// List a tree until `is_cancelled` says so.
pub fn list(root: &Root, is_cancelled: impl Fn() -> bool) -> Listing {
    let mut walk = Walk { root, listing: Listing::default(), rules_left: MAX_RULES };
    let exclude = walk.read_rules(Path::new(".git/info/exclude"), Path::new(""), None);
    let mut folders = VecDeque::from([Folder { path: PathBuf::new(), depth: 0, rules: exclude }]);
    while let Some(folder) = folders.pop_front() {
        if is_cancelled() || walk.listing.is_truncated {
            break;
        }
        walk.visit(folder, &mut folders);
    }
    walk.listing.files.sort_unstable();
    walk.listing
}

struct Folder {
    path: PathBuf,
    depth: usize,
    rules: Option<Arc<Rules>>,
}

/// The rules of one file, and those of the folders above.
struct Rules {
    own: Gitignore,
    outer: Option<Arc<Rules>>,
}

impl Rules {
    fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let mut rules = Some(self);
        while let Some(level) = rules {
            match level.own.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => rules = level.outer.as_deref(),
            }
        }
        false
    }
}

struct Walk<'a> {
    root: &'a Root,
    listing: Listing,
    rules_left: usize,
}

impl Walk<'_> {
    fn visit(&mut self, folder: Folder, folders: &mut VecDeque<Folder>) {
        if folder.depth > MAX_DEPTH {
            return self.skip(folder.path, format!("more than {MAX_DEPTH} folders deep"));
        }
        let entries = match self.root.list(&folder.path) {
            Ok(entries) => entries,
            Err(error) => return self.skip(folder.path, error.to_string()),
        };
        let rules = self.read_rules(&folder.path.join(".gitignore"), &folder.path, folder.rules);
        for (name, kind) in entries {
            let path = folder.path.join(&name);
            let is_folder = kind == FileType::Directory;
            let is_ignored = rules.as_ref().is_some_and(|rules| rules.ignores(&path, is_folder));
            if name == OsStr::new(".git") || is_ignored {
                continue;
            }
            match kind {
                FileType::Directory => {
                    folders.push_back(Folder { path, depth: folder.depth + 1, rules: rules.clone() });
                }
                FileType::RegularFile if self.listing.files.len() == MAX_FILES => {
                    self.listing.is_truncated = true;
                    return;
                }
                FileType::RegularFile => self.listing.files.push(path),
                FileType::Symlink => self.skip(path, "a symbolic link is not followed".to_string()),
                _ => self.skip(path, "not a regular file".to_string()),
            }
        }
    }

    /// Return the rules of a file put before `outer`, which are given back when there is no such file.
    fn read_rules(&mut self, file: &Path, folder: &Path, outer: Option<Arc<Rules>>) -> Option<Arc<Rules>> {
        let bytes = match self.root.read_at_most(file, MAX_RULES_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                    self.skip(file.to_path_buf(), format!("its rules are not applied: {error}"));
                }
                return outer;
            }
        };
        let mut builder = GitignoreBuilder::new(folder);
        let text = String::from_utf8_lossy(&bytes);
        for line in text.trim_start_matches('\u{feff}').lines() {
            if self.rules_left == 0 {
                self.skip(file.to_path_buf(), format!("more than {MAX_RULES} rules"));
                break;
            }
            self.rules_left -= 1;
            // Git ignores a rule that it cannot read, too.
            let _ = builder.add_line(None, line);
        }
        match builder.build() {
            Ok(own) => Some(Arc::new(Rules { own, outer })),
            Err(error) => {
                self.skip(file.to_path_buf(), format!("its rules are not applied: {error}"));
                outer
            }
        }
    }

    fn skip(&mut self, path: PathBuf, reason: String) {
        self.listing.skipped.push(Skipped { path, reason });
    }
}
