//! Stirs real source for a bounded time: whatever comes out must have an audit, soon, and the same twice.
//!
//! `FUZZ_SECONDS` says for how long (10), `FUZZ_SEED` where to begin. An input that fails is printed with its seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rust_core::codehealth::{FileAudit, audit, outline};

const SLOWEST: Duration = Duration::from_secs(5);
const MAX_INPUT_BYTES: usize = 40_000;
const SNIPPETS: [&str; 44] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    ";",
    "\n",
    "\r",
    "\x0c",
    "\\\n",
    "\t",
    "    ",
    "'''",
    "\"",
    "f'{",
    "}'",
    "t\"{",
    "lambda a=",
    "lambda: ",
    "not ",
    "-",
    "**",
    " if a else ",
    " for x in ",
    "async ",
    "await ",
    "yield ",
    "match x:\n",
    " case ",
    "else:\n",
    "elif a:\n",
    "except* A:\n",
    "finally:\n",
    "def f[T](a, /, *b, **c):\n",
    "class A(B):\n",
    "@a\n",
    "a.b.c()",
    "# coding: koi8-r\n",
    "\u{feff}",
    "\u{2028}",
    "é",
];

/// xorshift64*: the same inputs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides.max(1)
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
    let mut folders = vec![repository.join("workers"), repository.join("tests/rust_core")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "py") {
                files.push(path);
            }
        }
    }
    files.sort();
    let texts = files.iter().map(|path| fs::read(path).unwrap());
    let texts: Vec<_> = texts.filter(|text| !text.is_empty() && text.len() < MAX_INPUT_BYTES / 2).collect();
    assert!(texts.len() > 50, "the corpus is gone");
    texts
}

fn stir(text: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.roll(text.len() + 1);
    let end = (at + dice.roll(80)).min(text.len());
    match dice.roll(9) {
        0 => drop(text.splice(at..end, [])),
        1 => drop(text.splice(at..at, SNIPPETS[dice.roll(SNIPPETS.len())].bytes())),
        2 => {
            let unit = SNIPPETS[dice.roll(SNIPPETS.len())].repeat(1 + dice.roll(300));
            drop(text.splice(at..end, unit.bytes()));
        }
        3 if at < text.len() => text[at] = dice.roll(256) as u8,
        4 => text.truncate(at),
        5 => {
            let copy = text[at..end].to_vec();
            let to = dice.roll(text.len() + 1);
            drop(text.splice(to..to, copy));
        }
        6 => {
            let from = dice.roll(other.len());
            let piece = other[from..(from + dice.roll(400)).min(other.len())].to_vec();
            drop(text.splice(at..end, piece));
        }
        7 => {
            // One level deeper, as when a person wraps a block.
            let indented = text.split(|byte| *byte == b'\n').map(|line| [b"  ", line].concat());
            let body = indented.collect::<Vec<_>>().join(&b'\n');
            *text = [SNIPPETS[30 + dice.roll(8)].as_bytes(), &body[..]].concat();
        }
        _ => text.retain(|byte| *byte != b'\r' && *byte != b'#'),
    }
    text.truncate(MAX_INPUT_BYTES);
}

fn problem_of(text: &[u8]) -> Option<String> {
    let start = Instant::now();
    let found = audit(text, Some("python"));
    let again = audit(text, Some("python"));
    outline(text);
    if start.elapsed() > SLOWEST {
        return Some(format!("takes {:?}", start.elapsed()));
    }
    if found != again {
        return Some("differs the second time".to_string());
    }
    problem_of_audit(&found)
}

fn problem_of_audit(found: &FileAudit) -> Option<String> {
    if let Some(error) = found.errors.iter().find(|error| error.message.contains("broke down")) {
        return Some(error.message.clone());
    }
    if found.errors.is_empty() && found.maintainability_index.is_none() {
        return Some("has neither a diagnosis nor an index".to_string());
    }
    let is_odd = |one: &&rust_core::codehealth::FunctionAudit| {
        one.line == 0
            || one.line > one.end_line
            || one.cyclomatic == 0
            || one.name().is_empty() && found.errors.is_empty()
    };
    found.functions.iter().find(is_odd).map(|one| format!("odd: {one:?}"))
}

#[test]
fn gives_any_input_an_audit() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 10));
    let seeds = seeds();
    let mut count = number("FUZZ_SEED", 1);
    while Instant::now() < until {
        let mut dice = Dice(count.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut text = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..1 + dice.roll(12) {
            let other = &seeds[dice.roll(seeds.len())];
            stir(&mut text, other, &mut dice);
        }
        if let Some(problem) = problem_of(&text) {
            panic!("FUZZ_SEED={count}: {problem}\n{}", String::from_utf8_lossy(&text));
        }
        count += 1;
    }
}
