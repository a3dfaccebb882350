//! Modules, classes and functions that a walk is inside of, and what has been counted in each.

use super::cognitive::Cognitive;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    Module,
    Class,
    Function,
}

/// One of them.
pub struct Scope<'a> {
    pub kind: ScopeKind,
    pub name: &'a str,
    /// Length of the qualified name before this scope's own part.
    pub outer_name_length: usize,
    pub cyclomatic: u32,
    pub mccabe: u32,
    pub radon: u32,
    pub cognitive: Cognitive,
    /// The first parameter of a method.
    pub receiver: Option<&'a str>,
    pub is_recursive: bool,
    pub is_decorator: bool,
    blocks: u32,
    deepest_block: u32,
}

impl<'a> Scope<'a> {
    pub fn new(kind: ScopeKind, name: &'a str, outer_name_length: usize) -> Self {
        Self {
            kind,
            name,
            outer_name_length,
            cyclomatic: 1,
            mccabe: 1,
            radon: 1,
            cognitive: Cognitive::default(),
            receiver: None,
            is_recursive: false,
            is_decorator: false,
            blocks: 0,
            deepest_block: 0,
        }
    }

    /// Go into the body of `if`, `for`, `while`, `try`, `with` or `match`.
    pub fn enter_block(&mut self) {
        self.blocks += 1;
        self.deepest_block = self.deepest_block.max(self.blocks);
    }

    pub fn leave_block(&mut self) {
        self.blocks -= 1;
    }

    /// How deep such bodies stand one inside another in this scope, without nested functions and classes.
    pub fn nesting_depth(&self) -> u32 {
        self.deepest_block
    }
}
