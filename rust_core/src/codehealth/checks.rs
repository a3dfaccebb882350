//! How many checks a Python source makes: `assert` statements, `self.assert…()`, `raises()` and `warns()` calls.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, InterpolatedStringElement, Pattern, Stmt};

/// Return the number of checks in a module, and how deep its tree is.
pub fn count_checks(body: &[Stmt]) -> (u32, usize) {
    let mut counter = CheckCounter { checks: 0, depth: 0, max_depth: 0 };
    counter.visit_body(body);
    (counter.checks, counter.max_depth)
}

struct CheckCounter {
    checks: u32,
    depth: usize,
    max_depth: usize,
}

impl<'a> Visitor<'a> for CheckCounter {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.checks += u32::from(statement.is_assert_stmt());
        self.descend(|counter| visitor::walk_stmt(counter, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.checks += u32::from(expression.as_call_expr().is_some_and(|call| is_check(&call.func)));
        self.descend(|counter| visitor::walk_expr(counter, expression));
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.descend(|counter| visitor::walk_pattern(counter, pattern));
    }

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        self.descend(|counter| visitor::walk_interpolated_string_element(counter, element));
    }
}

impl CheckCounter {
    fn descend(&mut self, visit: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.max_depth = self.max_depth.max(self.depth);
        if self.depth.is_multiple_of(32) {
            stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || visit(self));
        } else {
            visit(self);
        }
        self.depth -= 1;
    }
}

fn is_check(function: &Expr) -> bool {
    let name = match function {
        Expr::Attribute(node) => node.attr.as_str(),
        Expr::Name(node) => node.id.as_str(),
        _ => return false,
    };
    name.starts_with("assert") || matches!(name, "raises" | "warns")
}
