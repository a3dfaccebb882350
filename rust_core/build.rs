//! Gives the sources of the audit a fingerprint, by which cached audits are told from those of any other build, and builds the
//! guard around the parsers written in C.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let mut files =
        vec![PathBuf::from("Cargo.lock"), PathBuf::from("build.rs"), PathBuf::from("src/errors.rs")];
    collect(Path::new("src/codehealth"), &mut files);
    files.sort();
    // FNV-1a, 64 bits: the standard library's hashers promise no stable value, and nobody attacks this one.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let bytes = fs::read(file).unwrap_or_default();
        for byte in file.to_string_lossy().bytes().chain([0]).chain(bytes) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    println!("cargo::rerun-if-changed=src/codehealth");
    println!("cargo::rustc-env=CODEHEALTH_FINGERPRINT={hash:016x}");
    let headers = std::env::var("DEP_TREE_SITTER_INCLUDE").expect("the library says where its headers are");
    cc::Build::new()
        .std("c11")
        .define("_POSIX_C_SOURCE", "200809L")
        .include(headers)
        .file("src/codehealth/languages/guard.c")
        .compile("codehealth_guard");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
