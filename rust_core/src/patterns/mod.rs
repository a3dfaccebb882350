//! Looks through sources for what should not be there: secrets, conflict marks, debugging leftovers, a workspace's own rules.
//!
//! One pass finds the hints of all built-in rules at once (Aho-Corasick: texts that a match cannot do without); a rule's regular
//! expression then looks only around its hints. Regular expressions and hints take time linear in the input, whatever the input.

mod builtin;
mod entropy;
mod lines;
mod windows;

use std::ops::Range;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

use builtin::BUILTIN;
use entropy::bits_per_byte;
use lines::Lines;
use windows::Windows;

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
    /// None for a workspace's own, which look everywhere.
    hints: &'static [&'static str],
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
    rules: Vec<Rule>,
    hints: AhoCorasick,
    /// Of each hint: the rule that it belongs to.
    rule_of_hint: Vec<usize>,
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
        let mut texts: Vec<&str> = Vec::new();
        let mut rule_of_hint = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            texts.extend(rule.hints);
            rule_of_hint.resize(texts.len(), index);
        }
        let hints = AhoCorasick::builder().ascii_case_insensitive(true).build(texts);
        Ok(Self { rules, hints: hints.map_err(|error| error.to_string())?, rule_of_hint })
    }

    /// Return the findings of one source in order of their place, at most `MAX_FINDINGS`. `path` is read for its ending only.
    pub fn scan(&self, source: &[u8], path: Option<&str>) -> Vec<Finding<'_>> {
        let windows = self.windows(source, path);
        let mut spots: Vec<(usize, usize, usize)> = Vec::new();
        for (index, windows) in windows.iter().enumerate() {
            let found = windows.iter().flat_map(|range| self.rules[index].spots(source, range));
            spots.extend(found.map(|(start, end)| (start, end, index)).take(MAX_FINDINGS));
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
    /// Return where each rule has to look.
    fn windows(&self, source: &[u8], path: Option<&str>) -> Vec<Windows> {
        let mut windows: Vec<Windows> = self.rules.iter().map(|_| Windows::default()).collect();
        let applies: Vec<bool> = self.rules.iter().map(|rule| rule.applies_to(path)).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            if applies[index] && rule.hints.is_empty() {
                windows[index].add_all(source);
            }
        }
        for hint in self.hints.find_overlapping_iter(source) {
            let index = self.rule_of_hint[hint.pattern().as_usize()];
            if applies[index] {
                windows[index].add_around(source, hint.start(), hint.end());
            }
        }
        windows
    }

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

    fn spots<'a>(
        &'a self,
        source: &'a [u8],
        window: &Range<usize>,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        // Cut off behind, not before, so that `^` and `\b` see what stands there.
        let haystack = &source[..window.end];
        let mut at = window.start;
        std::iter::from_fn(move || {
            loop {
                if at > haystack.len() {
                    return None;
                }
                let found = self.regex.captures_at(haystack, at)?;
                let whole = found.get(0)?;
                // Some patterns, such as `\b`, match nothing at many places.
                at = whole.end() + usize::from(whole.is_empty());
                let meant = found.name("secret").unwrap_or(whole);
                let is_likely = self.kind != Kind::Secret || self.is_likely(meant.as_bytes());
                if is_likely && !meant.is_empty() {
                    return Some((meant.start(), meant.end()));
                }
            }
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
        hints: &[],
        endings,
    })
}
