//! Radon's cyclomatic complexity, on which its maintainability index is defined.
//!
//! It counts expressions too (boolean operators, conditional expressions, comprehensions), as the walk passes them. A nested function keeps its
//! figure to itself, and neither it nor a class inside a function reaches the total of the file.

use ruff_python_ast::{Pattern, Stmt, StmtMatch};

/// What one statement adds by itself.
pub fn branches(statement: &Stmt) -> u32 {
    match statement {
        Stmt::If(node) => {
            1 + node.elif_else_clauses.iter().filter(|clause| clause.test.is_some()).count() as u32
        }
        Stmt::For(node) => 1 + u32::from(!node.orelse.is_empty()),
        Stmt::While(node) => 1 + u32::from(!node.orelse.is_empty()),
        Stmt::Try(node) if !node.is_star => node.handlers.len() as u32 + u32::from(!node.orelse.is_empty()),
        Stmt::Match(node) => cases_that_branch(node),
        Stmt::Assert(_) => 1,
        _ => 0,
    }
}

// Any bare `_` or bare name, guarded or not and wherever it stands, takes one off.
fn cases_that_branch(node: &StmtMatch) -> u32 {
    let has_bare_name = node
        .cases
        .iter()
        .any(|case| matches!(&case.pattern, Pattern::MatchAs(pattern) if pattern.pattern.is_none()));
    node.cases.len() as u32 - u32::from(has_bare_name)
}
