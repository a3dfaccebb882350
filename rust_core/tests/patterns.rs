//! The pattern set from outside: what it finds, what it leaves alone, what it refuses.

use std::time::Instant;

use rust_core::patterns::{CustomRule, Kind, MAX_FINDINGS, PatternSet};

fn set() -> PatternSet {
    PatternSet::new(Vec::new()).expect("the built-in rules compile")
}

fn rules(source: &str, path: &str) -> Vec<String> {
    set().scan(source.as_bytes(), Some(path)).iter().map(|found| found.rule.to_owned()).collect()
}

/// Keys are put together here, so that no scanner finds one in this file.
fn key(prefix: &str, length: usize) -> String {
    let alphabet = b"aZ3kQ9xB7mT1vR5nL8cW2yH6";
    let body: String = (0..length).map(|at| alphabet[at * 7 % alphabet.len()] as char).collect();
    format!("{prefix}{body}")
}

fn custom(pattern: &str) -> Result<PatternSet, String> {
    PatternSet::new(vec![CustomRule {
        id: "no-sleep".to_owned(),
        kind: Kind::Custom,
        message: "Wait for something".to_owned(),
        pattern: pattern.to_owned(),
        endings: vec![".py".to_owned()],
    }])
}

#[test]
fn finds_keys_by_their_shape_and_says_where() {
    let token = key("ghp_", 36);
    let source = format!("a = 1\nurl = 'x'\nt = '{token}'\n");
    let set = set();
    let found = set.scan(source.as_bytes(), Some("a.py"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].rule, found[0].kind, found[0].line, found[0].column),
        ("github-token", Kind::Secret, 3, 6)
    );
    assert_eq!(&source[found[0].start..found[0].end], token);
}

#[test]
fn tells_secrets_from_words_and_stand_ins() {
    assert_eq!(rules("api_key = 'k8Jq2zLx9Vb4Nw7Rt1Yc'", "a.py"), ["assigned-secret"]);
    assert!(rules("api_key = 'your-api-key-goes-here'", "a.py").is_empty());
    assert!(rules("api_key = '<put it here please>'", "a.py").is_empty());
    assert!(rules("password = 'aaaaaaaaaaaaaaaaaa'", "a.py").is_empty());
    assert!(rules("aws = 'AKIAIOSFODNN7EXAMPLE'", "a.py").is_empty());
    assert!(rules("TOKEN = os.environ['TOKEN_OF_SERVICE']", "a.py").is_empty());
    assert_eq!(rules("dsn = 'postgres://app:pQ7x9Zk2vL@db/app'", "a.py"), ["address-password"]);
    assert!(rules("dsn = 'postgres://app:{password}@db/app'", "a.py").is_empty());
}

#[test]
fn obeys_a_person_who_allowed_a_line() {
    let line = format!("t = '{}'  # pragma: allowlist secret\n", key("glpat-", 20));
    assert!(rules(&line, "a.py").is_empty());
}

#[test]
fn finds_conflict_marks_but_not_headings() {
    let source = "<<<<<<< ours\na\n||||||| base\nb\n=======\nc\n>>>>>>> theirs\n\nTitle\n=======\n";
    assert_eq!(rules(source, "a.rst"), ["conflict-start", "conflict-base", "conflict-end"]);
    assert!(rules("Title\n=======\n>>> 1\n", "a.rst").is_empty());
}

#[test]
fn finds_debugging_leftovers_of_the_files_own_language() {
    assert_eq!(rules("def f():\n    breakpoint()\n", "a.py"), ["python-breakpoint"]);
    assert_eq!(
        rules("  debugger;\n  console.log(1)\n", "a.ts"),
        ["javascript-debugger", "javascript-console"]
    );
    assert!(rules("  debugger;\n", "notes.md").is_empty());
}

#[test]
fn adds_a_workspaces_own_rules_and_refuses_bad_ones() {
    let set = custom(r"time\.sleep\(").expect("a good rule");
    let found = set.scan(b"import time\ntime.sleep(3)\n", Some("src/a.py"));
    assert_eq!((found[0].rule, found[0].line, found[0].message), ("no-sleep", 2, "Wait for something"));
    assert!(set.scan(b"time.sleep(3)", Some("a.txt")).is_empty());
    for bad in ["(", "a*", "(a{1000}){1000}", &"x".repeat(501)] {
        assert!(custom(bad).is_err(), "{bad:.20}");
    }
}

#[test]
fn stays_linear_and_bounded_on_hostile_input() {
    let hostile = [
        "secret='".repeat(200_000),
        "a".repeat(2_000_000),
        "aws secret ".repeat(100_000),
        "-----BEGIN PRIVATE KEY-----\n".repeat(50_000),
        "http://a:".repeat(200_000),
        format!("t='{}'\n", key("ghp_", 36)).repeat(10_000),
    ];
    let set = set();
    for source in hostile {
        let started = Instant::now();
        assert!(set.scan(source.as_bytes(), Some("a.py")).len() <= MAX_FINDINGS);
        assert!(started.elapsed().as_secs_f64() < 5.0, "{:.30}", source);
    }
    let nothing = custom(r"\b(?:x?)\b").expect("matches nothing at all, but compiles");
    assert!(nothing.scan(b"a b c", Some("a.py")).is_empty());
    let bytes: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
    set.scan(&bytes, None);
}
