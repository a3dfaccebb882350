//! C901, the cyclomatic complexity of McCabe, in the two dialects people meet: ruff's and the mccabe package's.
//!
//! Both are 1 plus a count over the statements of the body; expressions count nothing. They differ in `try`, `match`
//! and `try … except*`. A nested function adds its whole own figure to the function around it.

use ruff_python_ast::{MatchCase, Stmt, StmtTry};

/// What one statement adds by itself: (ruff, mccabe).
pub fn branches(statement: &Stmt) -> (u32, u32) {
    match statement {
        Stmt::If(node) => {
            let tests =
                1 + node.elif_else_clauses.iter().filter(|clause| clause.test.is_some()).count() as u32;
            (tests, tests)
        }
        Stmt::For(_) | Stmt::While(_) => (1, 1),
        Stmt::Try(node) => branches_of_try(node),
        Stmt::Match(node) => (cases_that_branch(&node.cases), 0),
        _ => (0, 0),
    }
}

fn branches_of_try(node: &StmtTry) -> (u32, u32) {
    let handlers = node.handlers.len() as u32;
    let mccabe = if node.is_star { 0 } else { 1 + handlers };
    (handlers + u32::from(!node.orelse.is_empty()), mccabe)
}

// ruff: a last case that always matches is the `else` of the others.
fn cases_that_branch(cases: &[MatchCase]) -> u32 {
    let has_default = cases.last().is_some_and(|case| case.guard.is_none() && case.pattern.is_irrefutable());
    cases.len() as u32 - u32::from(has_default)
}
