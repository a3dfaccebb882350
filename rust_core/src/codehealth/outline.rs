//! The outline of a Python source: what others can call by name, and what its tests are.
//!
//! A review compares two outlines: a public name that went away or takes other arguments, a test that is gone.

use ruff_python_ast::helpers::is_dunder;
use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::checks::count_checks;
use super::lines::LineStarts;
use super::tree::with_tree;

/// A name that the source defines at its top or in a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub qualname: String,
    pub kind: SymbolKind,
    pub line: u32,
    /// No part of the name begins with an underscore (`__init__` and its like are public), and where the source has an
    /// `__all__` of plain strings, the first part stands in it.
    pub is_public: bool,
    /// What a caller must know, as written, with white space made single: parameters, bases or annotation.
    pub signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    Function,
    Class,
    Variable,
    Import,
}

impl SymbolKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Variable => "variable",
            Self::Import => "import",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Whether the source parsed; what is found in one that does not is a guess.
    pub is_parsed: bool,
    pub symbols: Vec<Symbol>,
    /// Qualified names of test functions and methods.
    pub tests: Vec<String>,
    /// `assert` statements, `self.assert…()` calls, `raises()` and `warns()`.
    pub asserts: u32,
}

/// Return the outline of a text that is Python; empty when it nests too deeply to be parsed.
pub fn outline_text(text: &str) -> Outline {
    let read = with_tree(text, |parsed| {
        let (mut outline, depth) = outline_module(text, parsed.suite());
        outline.is_parsed = parsed.has_valid_syntax();
        (outline, depth)
    });
    read.unwrap_or_default()
}

fn outline_module(text: &str, body: &[Stmt]) -> (Outline, usize) {
    let lines = LineStarts::new(text);
    let mut collector = Collector {
        text,
        lines,
        qualname: String::new(),
        exported: exported_names(body),
        found: Outline::default(),
    };
    collector.read_body(body, true);
    let (checks, depth) = count_checks(body);
    collector.found.asserts = checks;
    (collector.found, depth)
}

struct Collector<'a> {
    text: &'a str,
    lines: LineStarts<'a>,
    qualname: String,
    exported: Option<Vec<String>>,
    found: Outline,
}

impl<'a> Collector<'a> {
    fn read_body(&mut self, body: &'a [Stmt], is_public: bool) {
        // Statements of `if` and `try` at this level define names too. Both nest, so this goes through a list.
        let mut waiting: Vec<&Stmt> = body.iter().rev().collect();
        while let Some(statement) = waiting.pop() {
            match statement {
                Stmt::FunctionDef(node) => self.read_function(node, is_public),
                Stmt::ClassDef(node) => self.read_class(node, is_public),
                Stmt::Assign(node) => {
                    node.targets.iter().for_each(|target| self.read_target(target, None, is_public))
                }
                Stmt::AnnAssign(node) => self.read_target(&node.target, Some(&node.annotation), is_public),
                Stmt::TypeAlias(node) => self.read_target(&node.name, Some(&node.value), is_public),
                Stmt::ImportFrom(node) if self.qualname.is_empty() => {
                    for alias in &node.names {
                        let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                        self.add(name, SymbolKind::Import, alias.start(), String::new(), is_public);
                    }
                }
                Stmt::If(node) => {
                    let others = node.elif_else_clauses.iter().flat_map(|clause| clause.body.iter());
                    push_reversed(&mut waiting, node.body.iter().chain(others));
                }
                Stmt::Try(node) => {
                    let handled = node.handlers.iter().filter_map(|handler| handler.as_except_handler());
                    let handled = handled.flat_map(|handler| handler.body.iter());
                    push_reversed(
                        &mut waiting,
                        node.body.iter().chain(handled).chain(&node.orelse).chain(&node.finalbody),
                    );
                }
                Stmt::With(node) => push_reversed(&mut waiting, node.body.iter()),
                _ => {}
            }
        }
    }

    fn read_function(&mut self, node: &'a StmtFunctionDef, is_public: bool) {
        let start = node.type_params.as_ref().map_or(node.parameters.start(), |params| params.start());
        let end = node.returns.as_ref().map_or(node.parameters.end(), |returns| returns.end());
        let mut signature = self.words(TextRange::new(start, end));
        if node.is_async {
            signature.insert_str(0, "async ");
        }
        // A property or a static method is called in another way than a plain one.
        for decorator in node.decorator_list.iter().rev() {
            signature.insert_str(0, &format!("{} ", self.words(decorator.range())));
        }
        self.add(node.name.as_str(), SymbolKind::Function, node.name.start(), signature, is_public);
        if node.name.as_str().starts_with("test") {
            let name = self.full_name(node.name.as_str());
            self.found.tests.push(name);
        }
    }

    fn read_class(&mut self, node: &'a StmtClassDef, is_public: bool) {
        let signature = node.arguments.as_ref().map_or(String::new(), |bases| self.words(bases.range()));
        let is_public =
            self.add(node.name.as_str(), SymbolKind::Class, node.name.start(), signature, is_public);
        let outer_length = self.qualname.len();
        self.qualname = self.full_name(node.name.as_str());
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.read_body(&node.body, is_public));
        self.qualname.truncate(outer_length);
    }

    fn read_target(&mut self, target: &'a Expr, annotation: Option<&'a Expr>, is_public: bool) {
        match target {
            Expr::Name(node) if node.id.as_str() != "__all__" => {
                let signature = annotation.map_or(String::new(), |node| self.words(node.range()));
                self.add(node.id.as_str(), SymbolKind::Variable, node.start(), signature, is_public);
            }
            Expr::Tuple(node) => {
                for name in node.elts.iter().filter(|part| part.is_name_expr()) {
                    self.read_target(name, None, is_public);
                }
            }
            _ => {}
        }
    }

    fn add(
        &mut self,
        name: &str,
        kind: SymbolKind,
        at: TextSize,
        signature: String,
        is_public: bool,
    ) -> bool {
        let is_exported = match &self.exported {
            Some(names) if self.qualname.is_empty() => names.iter().any(|exported| exported == name),
            _ => !name.starts_with('_') || is_dunder(name),
        };
        let is_public = is_public && is_exported;
        let (qualname, line) = (self.full_name(name), self.lines.line(at));
        self.found.symbols.push(Symbol { qualname, kind, line, is_public, signature });
        is_public
    }

    fn full_name(&self, name: &str) -> String {
        if self.qualname.is_empty() { name.to_string() } else { format!("{}.{name}", self.qualname) }
    }

    fn words(&self, range: TextRange) -> String {
        self.text[range].split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn push_reversed<'a>(waiting: &mut Vec<&'a Stmt>, statements: impl Iterator<Item = &'a Stmt>) {
    let first = waiting.len();
    waiting.extend(statements);
    waiting[first..].reverse();
}

/// The strings of a top-level `__all__ = [...]`; `None` when there is none or it is computed.
fn exported_names(body: &[Stmt]) -> Option<Vec<String>> {
    let is_extended =
        body.iter().any(|statement| matches!(statement, Stmt::AugAssign(node) if is_all(&node.target)));
    if is_extended {
        return None;
    }
    let value = body.iter().rev().find_map(|statement| match statement {
        Stmt::Assign(node) if node.targets.iter().any(is_all) => Some(&*node.value),
        Stmt::AnnAssign(node) if is_all(&node.target) => node.value.as_deref(),
        _ => None,
    })?;
    let elements = match value {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => return None,
    };
    elements
        .iter()
        .map(|element| Some(element.as_string_literal_expr()?.value.to_str().to_string()))
        .collect()
}

fn is_all(target: &Expr) -> bool {
    target.as_name_expr().is_some_and(|name| name.id.as_str() == "__all__")
}
