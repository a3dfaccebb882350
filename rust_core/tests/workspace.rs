//! Audits of trees and the cache, on real folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rust_core::codehealth::{Cache, Options, Progress, Root, WorkspaceAudit, audit_paths, audit_workspace};

/// A folder of its own for a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rust_core-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn audit(folder: &Folder, options: &Options) -> WorkspaceAudit {
    audit_workspace(&Root::beneath(&folder.0).unwrap(), options, &Progress::default()).unwrap()
}

fn names(found: &WorkspaceAudit) -> Vec<&Path> {
    found.files.iter().map(|file| file.path.as_path()).collect()
}

#[test]
fn takes_in_what_no_rule_excludes() {
    let folder = Folder::new();
    folder.write("a.py", "x = 1\n");
    folder.write("out/b.py", "x = 1\n");
    folder.write("c/d.py", "x = 1\n");
    folder.write("c/e.py", "x = 1\n");
    folder.write(".gitignore", "/out/\n*.py\n!a.py\n");
    folder.write("c/.gitignore", "!d.py\n");
    let found = audit(&folder, &Options::default());
    let python = names(&found).into_iter().filter(|path| path.extension().is_some_and(|end| end == "py"));
    assert_eq!(python.collect::<Vec<_>>(), [Path::new("a.py"), Path::new("c/d.py")]);
}

#[test]
fn leaves_out_what_is_known() {
    let folder = Folder::new();
    folder.write("a.py", "x = 1\n");
    folder.write("b.py", "x = 1\n");
    let known = audit(&folder, &Options::default()).files.into_iter().map(|file| (file.path, file.key));
    let options = Options { known: known.collect(), ..Options::default() };
    folder.write("b.py", "x = 2\n");
    let found = audit(&folder, &options);
    assert_eq!(names(&found), [Path::new("b.py")]);
    assert_eq!(found.unchanged, [PathBuf::from("a.py")]);
}

#[test]
fn does_nothing_once_it_is_cancelled() {
    let folder = Folder::new();
    folder.write("a.py", "x = 1\n");
    let progress = Progress::default();
    progress.cancel();
    let root = Root::beneath(&folder.0).unwrap();
    let found = audit_workspace(&root, &Options::default(), &progress).unwrap();
    assert!(found.is_cancelled && found.files.is_empty());
}

#[test]
fn answers_from_the_cache_until_a_pack_is_damaged() {
    let (folder, store) = (Folder::new(), Folder::new());
    folder.write("a.py", "def f():\n    if a and b: pass\n");
    let paths = [PathBuf::from("a.py")];
    let root = Root::beneath(&folder.0).unwrap();
    let run = || {
        let cache = Cache::open(&store.0).unwrap();
        (audit_paths(&paths, &root, Some(1), Some(&cache)).unwrap(), cache.hits())
    };
    let (fresh, hits) = run();
    assert_eq!(hits, 0);
    assert_eq!(run(), (fresh.clone(), 1));
    let build = fs::read_dir(&store.0).unwrap().next().unwrap().unwrap().path();
    let pack = fs::read_dir(build).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&pack).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pack, bytes).unwrap();
    assert_eq!(run(), (fresh.clone(), 0));
    assert_eq!(run(), (fresh, 1));
}
