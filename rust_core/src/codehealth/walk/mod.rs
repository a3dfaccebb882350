//! One pass over the tree that feeds every counter.
//!
//! Trees can be as deep as a file is long (a sum of 100,000 terms), so the walk asks for more stack as it goes down, and
//! tells how deep the tree is, for whoever frees it.

mod definitions;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, Decorator, ElifElseClause, ExceptHandler, Expr, ExprBoolOp, ExprIf, ExprLambda,
    InterpolatedStringElement, Pattern, Stmt, StmtFor, StmtIf, StmtMatch, StmtTry, StmtWhile,
};

pub use definitions::{FunctionFigures, FunctionKind};

use super::calls::{Calls, is_recursive};
use super::halstead::{HalsteadCounter, HalsteadCounts};
use super::scopes::{Scope, ScopeKind};
use super::{c901, radon};

/// What the walk found.
pub struct Figures {
    pub functions: Vec<FunctionFigures>,
    pub complexity_radon: u32,
    pub halstead: HalsteadCounts,
    pub depth: usize,
}

pub fn walk<'a>(text: &'a str, body: &'a [Stmt]) -> Figures {
    let mut walker = Walker::new(text);
    walker.visit_body(body);
    Figures {
        functions: walker.functions,
        complexity_radon: walker.scopes[0].radon,
        halstead: walker.halstead.counts(),
        depth: walker.max_depth,
    }
}

struct Walker<'a> {
    scopes: Vec<Scope<'a>>,
    qualname: String,
    functions: Vec<FunctionFigures>,
    halstead: HalsteadCounter<'a>,
    calls: Calls,
    /// Decorators, defaults and annotations of functions are no part of radon's figures.
    is_halstead_off: bool,
    is_radon_off: bool,
    /// mccabe enters neither `match`, `try … except*` nor `finally`.
    is_mccabe_off: bool,
    /// The operator before this one in a run of boolean operators.
    last_operator: Option<ruff_python_ast::BoolOp>,
    depth: usize,
    max_depth: usize,
}

// Probing the stack costs; 32 levels of this walk fit well into the red zone.
const LEVELS_BETWEEN_PROBES: usize = 32;
const RED_ZONE_BYTES: usize = 256 * 1024;
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

impl<'a> Walker<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            scopes: vec![Scope::new(ScopeKind::Module, "", 0)],
            qualname: String::new(),
            functions: Vec::new(),
            halstead: HalsteadCounter::new(text),
            calls: Calls::default(),
            is_halstead_off: false,
            is_radon_off: false,
            is_mccabe_off: false,
            last_operator: None,
            depth: 0,
            max_depth: 0,
        }
    }

    fn scope(&mut self) -> &mut Scope<'a> {
        self.scopes.last_mut().expect("the module's scope is never left")
    }

    /// One level down, on a new piece of stack when this one runs short.
    fn descend(&mut self, visit: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.max_depth = self.max_depth.max(self.depth);
        if self.depth.is_multiple_of(LEVELS_BETWEEN_PROBES) {
            stacker::maybe_grow(RED_ZONE_BYTES, SEGMENT_BYTES, || visit(self));
        } else {
            visit(self);
        }
        self.depth -= 1;
    }

    fn without_radon(&mut self, visit: impl FnOnce(&mut Self)) {
        let was_off = std::mem::replace(&mut self.is_radon_off, true);
        visit(self);
        self.is_radon_off = was_off;
    }

    fn without_halstead(&mut self, visit: impl FnOnce(&mut Self)) {
        let was_off = std::mem::replace(&mut self.is_halstead_off, true);
        visit(self);
        self.is_halstead_off = was_off;
    }

    fn without_mccabe(&mut self, visit: impl FnOnce(&mut Self)) {
        let was_off = std::mem::replace(&mut self.is_mccabe_off, true);
        visit(self);
        self.is_mccabe_off = was_off;
    }

    /// A block that reads deeper: its structures cost more.
    fn visit_nested(&mut self, body: &'a [Stmt]) {
        self.scope().cognitive.nest();
        self.visit_block(body);
        self.scope().cognitive.unnest();
    }

    /// A block that is only indented, such as that of `with`.
    fn visit_block(&mut self, body: &'a [Stmt]) {
        self.scope().enter_block();
        self.visit_body(body);
        self.scope().leave_block();
    }

    fn add_c901(&mut self, cyclomatic: u32, mccabe: u32) {
        let mccabe = if self.is_mccabe_off { 0 } else { mccabe };
        let scope = self.scope();
        scope.cyclomatic += cyclomatic;
        scope.mccabe += mccabe;
    }

    fn visit_compound(&mut self, statement: &'a Stmt) {
        let (cyclomatic, mccabe) = c901::branches(statement);
        self.add_c901(cyclomatic, mccabe);
        self.scope().radon += radon::branches(statement);
        match statement {
            Stmt::If(node) => self.visit_if(node),
            Stmt::For(node) => self.visit_for(node),
            Stmt::While(node) => self.visit_while(node),
            Stmt::Match(node) => self.without_mccabe(|walker| walker.visit_match(node)),
            Stmt::Try(node) if node.is_star => self.without_mccabe(|walker| walker.visit_try(node)),
            Stmt::Try(node) => self.visit_try(node),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_if(&mut self, node: &'a StmtIf) {
        self.scope().cognitive.add_structure();
        self.visit_expr(&node.test);
        self.visit_nested(&node.body);
        node.elif_else_clauses.iter().for_each(|clause| self.visit_elif_else_clause(clause));
    }

    fn visit_for(&mut self, node: &'a StmtFor) {
        self.scope().cognitive.add_structure();
        self.visit_expr(&node.iter);
        self.visit_expr(&node.target);
        self.visit_nested(&node.body);
        self.visit_else(&node.orelse);
    }

    fn visit_while(&mut self, node: &'a StmtWhile) {
        self.scope().cognitive.add_structure();
        self.visit_expr(&node.test);
        self.visit_nested(&node.body);
        self.visit_else(&node.orelse);
    }

    fn visit_try(&mut self, node: &'a StmtTry) {
        self.visit_block(&node.body);
        node.handlers.iter().for_each(|handler| self.visit_except_handler(handler));
        self.visit_else(&node.orelse);
        self.without_mccabe(|walker| walker.visit_block(&node.finalbody));
    }

    fn visit_else(&mut self, body: &'a [Stmt]) {
        if !body.is_empty() {
            self.scope().cognitive.add_flat(1);
            self.visit_nested(body);
        }
    }

    fn visit_match(&mut self, node: &'a StmtMatch) {
        self.scope().cognitive.add_structure();
        self.visit_expr(&node.subject);
        for case in &node.cases {
            self.visit_pattern(&case.pattern);
            case.guard.iter().for_each(|guard| self.visit_expr(guard));
            self.visit_nested(&case.body);
        }
    }

    fn visit_conditional(&mut self, node: &'a ExprIf) {
        self.scope().cognitive.add_structure();
        self.scope().cognitive.nest();
        self.visit_expr(&node.test);
        self.visit_expr(&node.body);
        self.visit_expr(&node.orelse);
        self.scope().cognitive.unnest();
    }

    fn visit_lambda(&mut self, node: &'a ExprLambda) {
        node.parameters.iter().for_each(|parameters| self.visit_parameters(parameters));
        self.scope().cognitive.nest();
        self.visit_expr(&node.body);
        self.scope().cognitive.unnest();
    }

    /// The operators pass in the order of the text, so that runs of equal ones show.
    fn visit_boolean(&mut self, node: &'a ExprBoolOp) {
        self.count_boolean(node);
        for (at, value) in node.values.iter().enumerate() {
            if at > 0 && self.last_operator != Some(node.op) {
                self.scope().cognitive.add_flat(1);
                self.last_operator = Some(node.op);
            }
            match value {
                Expr::BoolOp(inner) => self.descend(|walker| walker.visit_boolean(inner)),
                _ => {
                    let last_operator = self.last_operator.take();
                    self.visit_expr(value);
                    self.last_operator = last_operator;
                }
            }
        }
    }

    fn count_boolean(&mut self, node: &'a ExprBoolOp) {
        if !self.is_radon_off {
            self.scope().radon += node.values.len() as u32 - 1;
        }
        if !self.is_halstead_off {
            self.halstead.read_boolean(node);
        }
    }

    fn note_call(&mut self, callee: &'a Expr) {
        self.calls.note(callee);
        let scope = self.scope();
        if scope.kind == ScopeKind::Function && is_recursive(callee, scope.name, scope.receiver) {
            scope.is_recursive = true;
        }
    }

    fn count_operators(&mut self, expression: &'a Expr) {
        if self.is_halstead_off {
            return;
        }
        match expression {
            Expr::BinOp(node) => self.halstead.read_binary(node),
            Expr::UnaryOp(node) => self.halstead.read_unary(node),
            Expr::Compare(node) => self.halstead.read_comparison(node),
            _ => {}
        }
    }

    fn visit_inner(&mut self, expression: &'a Expr) {
        match expression {
            Expr::BoolOp(node) => {
                self.visit_boolean(node);
                self.last_operator = None;
            }
            Expr::If(node) => {
                self.scope().radon += u32::from(!self.is_radon_off);
                self.visit_conditional(node);
            }
            Expr::Lambda(node) => self.visit_lambda(node),
            Expr::Call(node) => {
                self.note_call(&node.func);
                visitor::walk_expr(self, expression);
            }
            _ => {
                self.count_operators(expression);
                visitor::walk_expr(self, expression);
            }
        }
    }
}

impl<'a> Visitor<'a> for Walker<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.descend(|walker| match statement {
            Stmt::FunctionDef(node) => walker.visit_function(node),
            Stmt::ClassDef(node) => walker.visit_class(node),
            Stmt::If(_) | Stmt::For(_) | Stmt::While(_) | Stmt::Try(_) | Stmt::Match(_) => {
                walker.visit_compound(statement)
            }
            Stmt::With(node) => {
                node.items.iter().for_each(|item| walker.visit_with_item(item));
                walker.visit_block(&node.body);
            }
            Stmt::Assert(_) => {
                walker.scope().radon += radon::branches(statement);
                walker.without_radon(|walker| visitor::walk_stmt(walker, statement));
            }
            Stmt::AugAssign(node) => {
                walker.halstead.read_assignment(node);
                visitor::walk_stmt(walker, statement);
            }
            _ => visitor::walk_stmt(walker, statement),
        });
    }

    fn visit_elif_else_clause(&mut self, clause: &'a ElifElseClause) {
        self.scope().cognitive.add_flat(1);
        clause.test.iter().for_each(|test| self.visit_expr(test));
        self.visit_nested(&clause.body);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = handler;
        self.scope().cognitive.add_structure();
        handler.type_.iter().for_each(|kind| self.visit_expr(kind));
        self.visit_nested(&handler.body);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        // Most expressions are leaves.
        if !is_leaf(expression) {
            self.descend(|walker| walker.visit_inner(expression));
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        if !self.is_radon_off {
            self.scope().radon += 1 + comprehension.ifs.len() as u32;
        }
        visitor::walk_comprehension(self, comprehension);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.descend(|walker| visitor::walk_pattern(walker, pattern));
    }

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        self.descend(|walker| visitor::walk_interpolated_string_element(walker, element));
    }

    fn visit_decorator(&mut self, decorator: &'a Decorator) {
        self.visit_expr(&decorator.expression);
    }
}

fn is_leaf(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Name(_)
            | Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_)
    )
}
