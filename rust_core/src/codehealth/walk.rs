//! One pass over the tree that feeds every counter.
//!
//! Trees can be as deep as a file is long (a sum of 100,000 terms), so the walk asks for more stack as it goes down, and
//! tells how deep the tree is, for whoever frees it.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, Decorator, Expr, InterpolatedStringElement, Pattern, Stmt, StmtClassDef, StmtFunctionDef,
};
use ruff_text_size::{Ranged, TextRange};

use super::halstead::{Context, HalsteadCounter, HalsteadReport};
use super::{c901, radon};

/// One function or method, with where it stands as offsets.
#[derive(Debug)]
pub struct FunctionFigures {
    pub qualname: String,
    pub name_start: usize,
    pub kind: FunctionKind,
    pub is_async: bool,
    pub name_range: TextRange,
    pub range: TextRange,
    pub cyclomatic: u32,
    pub cyclomatic_mccabe: u32,
    pub complexity_radon: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    Function,
    Method,
    Closure,
}

/// What the walk found.
pub struct Figures {
    pub functions: Vec<FunctionFigures>,
    pub complexity_radon: u32,
    pub halstead: HalsteadReport,
    pub depth: usize,
}

pub fn walk<'a>(text: &'a str, body: &'a [Stmt]) -> Figures {
    let mut walker = Walker::new(text);
    walker.visit_body(body);
    Figures {
        functions: walker.functions,
        complexity_radon: walker.scopes[0].radon,
        halstead: walker.halstead.report(),
        depth: walker.max_depth,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Module,
    Class,
    Function,
}

/// A module, class or function that the walk is inside of.
struct Scope<'a> {
    kind: ScopeKind,
    context: Context<'a>,
    cyclomatic: u32,
    mccabe: u32,
    radon: u32,
    /// Length of the qualified name before this scope's own part.
    outer_name_length: usize,
}

struct Walker<'a> {
    scopes: Vec<Scope<'a>>,
    qualname: String,
    functions: Vec<FunctionFigures>,
    halstead: HalsteadCounter<'a>,
    /// Decorators, defaults and annotations of functions are no part of radon's figures.
    is_halstead_off: bool,
    is_radon_off: bool,
    /// mccabe enters neither `match`, `try … except*` nor `finally`.
    is_mccabe_off: bool,
    depth: usize,
    max_depth: usize,
}

// Probing the stack costs; 32 levels of this walk fit well into the red zone.
const LEVELS_BETWEEN_PROBES: usize = 32;
const RED_ZONE_BYTES: usize = 256 * 1024;
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

impl<'a> Walker<'a> {
    fn new(text: &'a str) -> Self {
        let module = Scope {
            kind: ScopeKind::Module,
            context: None,
            cyclomatic: 1,
            mccabe: 1,
            radon: 1,
            outer_name_length: 0,
        };
        Self {
            scopes: vec![module],
            qualname: String::new(),
            functions: Vec::new(),
            halstead: HalsteadCounter::new(text),
            is_halstead_off: false,
            is_radon_off: false,
            is_mccabe_off: false,
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

    fn enter(&mut self, kind: ScopeKind, name: &'a str) {
        let outer_name_length = self.qualname.len();
        match self.scope().kind {
            ScopeKind::Module => {}
            ScopeKind::Class => self.qualname.push('.'),
            ScopeKind::Function => self.qualname.push_str(".<locals>."),
        }
        self.qualname.push_str(name);
        let context = if kind == ScopeKind::Function { Some(name) } else { self.scope().context };
        self.scopes.push(Scope { kind, context, cyclomatic: 1, mccabe: 1, radon: 1, outer_name_length });
    }

    fn leave(&mut self) -> Scope<'a> {
        let scope = self.scopes.pop().expect("every leave follows an enter");
        self.qualname.truncate(scope.outer_name_length);
        scope
    }

    fn visit_function(&mut self, node: &'a StmtFunctionDef) {
        self.without_radon(|walker| {
            walker.without_halstead(|walker| {
                node.decorator_list.iter().for_each(|decorator| walker.visit_decorator(decorator));
                node.type_params.iter().for_each(|params| walker.visit_type_params(params));
                walker.visit_parameters(&node.parameters);
                node.returns.iter().for_each(|annotation| walker.visit_annotation(annotation));
            });
        });
        let kind = match self.scope().kind {
            ScopeKind::Module => FunctionKind::Function,
            ScopeKind::Class => FunctionKind::Method,
            ScopeKind::Function => FunctionKind::Closure,
        };
        self.enter(ScopeKind::Function, node.name.as_str());
        let index = self.functions.len();
        self.functions.push(FunctionFigures {
            qualname: self.qualname.clone(),
            name_start: self.qualname.len() - node.name.as_str().len(),
            kind,
            is_async: node.is_async,
            name_range: node.name.range(),
            range: node.range(),
            cyclomatic: 0,
            cyclomatic_mccabe: 0,
            complexity_radon: 0,
        });
        let was_mccabe_off = std::mem::replace(&mut self.is_mccabe_off, false);
        self.visit_body(&node.body);
        self.is_mccabe_off = was_mccabe_off;
        let scope = self.leave();
        let figures = &mut self.functions[index];
        figures.cyclomatic = scope.cyclomatic;
        figures.cyclomatic_mccabe = scope.mccabe;
        figures.complexity_radon = scope.radon;
        self.add_c901(scope.cyclomatic, scope.mccabe);
        match self.scope().kind {
            ScopeKind::Module => self.scope().radon += scope.radon - 1,
            ScopeKind::Class => self.scope().radon += scope.radon,
            ScopeKind::Function => {}
        }
    }

    fn visit_class(&mut self, node: &'a StmtClassDef) {
        self.without_radon(|walker| {
            node.decorator_list.iter().for_each(|decorator| walker.visit_decorator(decorator));
            node.type_params.iter().for_each(|params| walker.visit_type_params(params));
            node.arguments.iter().for_each(|arguments| walker.visit_arguments(arguments));
        });
        self.enter(ScopeKind::Class, node.name.as_str());
        self.visit_body(&node.body);
        let scope = self.leave();
        self.add_c901(scope.cyclomatic - 1, scope.mccabe - 1);
        if self.scope().kind == ScopeKind::Module {
            self.scope().radon += scope.radon - 1;
        }
    }

    fn add_c901(&mut self, cyclomatic: u32, mccabe: u32) {
        let mccabe = if self.is_mccabe_off { 0 } else { mccabe };
        let scope = self.scope();
        scope.cyclomatic += cyclomatic;
        scope.mccabe += mccabe;
    }

    fn visit_other(&mut self, statement: &'a Stmt) {
        let (cyclomatic, mccabe) = c901::branches(statement);
        self.add_c901(cyclomatic, mccabe);
        self.scope().radon += radon::branches(statement);
        match statement {
            Stmt::AugAssign(node) => {
                let context = self.scope().context;
                self.halstead.read_assignment(context, node);
                visitor::walk_stmt(self, statement);
            }
            Stmt::Assert(_) => self.without_radon(|walker| visitor::walk_stmt(walker, statement)),
            Stmt::Match(_) => self.without_mccabe(|walker| visitor::walk_stmt(walker, statement)),
            Stmt::Try(node) if node.is_star => {
                self.without_mccabe(|walker| visitor::walk_stmt(walker, statement))
            }
            Stmt::Try(node) => {
                self.visit_body(&node.body);
                node.handlers.iter().for_each(|handler| self.visit_except_handler(handler));
                self.visit_body(&node.orelse);
                self.without_mccabe(|walker| walker.visit_body(&node.finalbody));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }
}

impl<'a> Visitor<'a> for Walker<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.descend(|walker| match statement {
            Stmt::FunctionDef(node) => walker.visit_function(node),
            Stmt::ClassDef(node) => walker.visit_class(node),
            _ => walker.visit_other(statement),
        });
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.descend(|walker| {
            if !walker.is_radon_off {
                walker.scope().radon += radon::branches_of_expression(expression);
            }
            if !walker.is_halstead_off {
                let context = walker.scope().context;
                walker.halstead.read(context, expression);
            }
            visitor::walk_expr(walker, expression);
        });
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
