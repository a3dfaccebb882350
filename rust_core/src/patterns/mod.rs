//! Looks through sources for what should not be there: secrets, conflict marks, debugging leftovers, a workspace's own rules.
//!
//! One pass of all patterns at once (a `RegexSet`) tells which of them occur at all; only those are then located. The regular
//! expressions take time linear in the input, whatever the input.

mod builtin;
mod entropy;
mod lines;

use std::path::{Path, PathBuf};

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use builtin::BUILTIN;
use entropy::bits_per_byte;
use lines::Lines;

use crate::codehealth::Root;

/// Of one source; whoever has more needs no list.
pub const MAX_FINDINGS: usize = 200;
pub const MAX_CUSTOM_RULES: usize = 100;
pub const MAX_PATTERN_CHARS: usize = 500;
/// Compiled size of one custom rule, so that `(a{1000}){1000}` is refused instead of built.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// De facto standard among secret scanners: a person has looked at this line.
const ALLOWED: &[u8] = b"pragma: allowlist secret";

/// What a finding means to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Secret,
    Conflict,
    Debug,
    Custom,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Conflict => "conflict",
            Self::Debug => "debug",
            Self::Custom => "custom",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        [Self::Secret, Self::Conflict, Self::Debug, Self::Custom].into_iter().find(|kind| kind.name() == name)
    }
}

/// One pattern. A group named `secret` says which part of the match is meant; without it, the whole match is.
struct Rule {
    id: String,
    kind: Kind,
    message: String,
    regex: Regex,
    /// Least Shannon entropy of what is meant, in bits per byte; less is a word, not a key.
    min_entropy: f64,
    is_loose: bool,
    /// File endings that the rule looks at; empty for all.
    endings: Vec<String>,
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'a> {
    pub rule: &'a str,
    pub kind: Kind,
    pub message: &'a str,
    /// Counted from 1, in bytes of the source's lines.
    pub line: u32,
    pub column: u32,
    /// Half-open range of bytes that is meant.
    pub start: usize,
    pub end: usize,
}

/// A rule that a workspace adds.
pub struct CustomRule {
    pub id: String,
    pub kind: Kind,
    pub message: String,
    pub pattern: String,
    pub endings: Vec<String>,
}

/// All patterns, compiled once and shared between threads.
pub struct PatternSet {
    set: RegexSet,
    rules: Vec<Rule>,
}

impl PatternSet {
    /// Compile the built-in rules and a workspace's own.
    ///
    /// Errors: what is wrong with a custom rule, for the person who wrote it.
    pub fn new(custom: Vec<CustomRule>) -> Result<Self, String> {
        if custom.len() > MAX_CUSTOM_RULES {
            return Err(format!("at most {MAX_CUSTOM_RULES} rules"));
        }
        let mut rules: Vec<Rule> = BUILTIN.iter().map(builtin::Source::compile).collect();
        for rule in custom {
            rules.push(compile(rule)?);
        }
        let set = RegexSetBuilder::new(rules.iter().map(|rule| rule.regex.as_str()))
            .unicode(false)
            .multi_line(true)
            .size_limit(64 << 20)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { set, rules })
    }

    /// Return the findings of one source in order of their place, at most `MAX_FINDINGS`. `path` is read for its ending only.
    pub fn scan(&self, source: &[u8], path: Option<&str>) -> Vec<Finding<'_>> {
        let mut spots: Vec<(usize, usize, usize)> = Vec::new();
        for index in self.set.matches(source) {
            let rule = &self.rules[index];
            if rule.applies_to(path) {
                spots.extend(rule.spots(source).map(|(start, end)| (start, end, index)).take(MAX_FINDINGS));
            }
        }
        // At one place the rule that stands first in the table, the most exact, speaks for all that overlap.
        spots.sort_unstable_by_key(|&(start, end, index)| (start, index, end));
        let mut lines = Lines::new(source);
        let mut findings: Vec<Finding<'_>> = Vec::new();
        for (start, end, index) in spots {
            let rule = &self.rules[index];
            let overlaps = findings.last().is_some_and(|last| start < last.end && rule.kind == last.kind);
            if overlaps || findings.len() == MAX_FINDINGS {
                continue;
            }
            let place = lines.place(start);
            if rule.kind == Kind::Secret && memchr::memmem::find(place.text, ALLOWED).is_some() {
                continue;
            }
            findings.push(Finding {
                rule: &rule.id,
                kind: rule.kind,
                message: &rule.message,
                line: place.line,
                column: place.column,
                start,
                end,
            });
        }
        findings
    }
}

impl PatternSet {
    /// Scan files on `threads` threads (`None`: one per core), in the order of the paths; `None` for one that cannot be read.
    ///
    /// Fails only when the threads cannot be started.
    pub fn scan_paths(
        &self,
        paths: &[PathBuf],
        root: &Root,
        threads: Option<usize>,
    ) -> Result<Vec<Option<Vec<Finding<'_>>>>, String> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .thread_name(|index| format!("patterns-{index}"))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(pool.install(|| paths.par_iter().map(|path| self.scan_path(path, root)).collect()))
    }

    fn scan_path(&self, path: &Path, root: &Root) -> Option<Vec<Finding<'_>>> {
        let bytes = root.read(path).ok()?;
        Some(self.scan(&bytes, Some(&path.to_string_lossy())))
    }
}

impl Rule {
    fn applies_to(&self, path: Option<&str>) -> bool {
        let Some(path) = path.filter(|_| !self.endings.is_empty()) else { return true };
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        self.endings.iter().any(|ending| name.ends_with(ending.as_str()))
    }

    fn spots<'a>(&'a self, source: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.regex.captures_iter(source).filter_map(|found| {
            let meant = found.name("secret").or_else(|| found.get(0))?;
            let is_likely = self.kind != Kind::Secret || self.is_likely(meant.as_bytes());
            (is_likely && !meant.is_empty()).then(|| (meant.start(), meant.end()))
        })
    }

    /// Whether a value looks made by a machine, and is no stand-in of a manual.
    fn is_likely(&self, value: &[u8]) -> bool {
        if self.min_entropy == 0.0 {
            return true;
        }
        let lower = value.to_ascii_lowercase();
        let holds =
            |words: &[&str]| words.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some());
        let is_stand_in = holds(builtin::SAMPLES) || (self.is_loose && holds(builtin::STAND_INS));
        !is_stand_in && bits_per_byte(value) >= self.min_entropy
    }
}

fn compile(rule: CustomRule) -> Result<Rule, String> {
    if rule.pattern.chars().count() > MAX_PATTERN_CHARS {
        return Err(format!("rule {}: at most {MAX_PATTERN_CHARS} characters", rule.id));
    }
    let regex = RegexBuilder::new(&rule.pattern)
        .unicode(false)
        .multi_line(true)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| format!("rule {}: {error}", rule.id))?;
    if regex.is_match(b"") {
        return Err(format!("rule {}: it matches an empty text, so it would be everywhere", rule.id));
    }
    let endings = rule.endings.iter().map(|ending| ending.to_ascii_lowercase()).collect();
    Ok(Rule {
        id: rule.id,
        kind: rule.kind,
        message: rule.message,
        regex,
        min_entropy: 0.0,
        is_loose: false,
        endings,
    })
}
