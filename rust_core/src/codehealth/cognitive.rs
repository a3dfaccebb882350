//! Cognitive complexity by the paper of G. Ann Campbell (SonarSource, version 1.7), as SonarQube applies it to Python.
//!
//! - One more for `if`, `for`, `while`, `except`, `match` and a conditional expression, and one more for each level that it is
//!   nested in. One more, whatever the nesting, for `elif` and for every `else`, those of loops and `try` too.
//! - One more for each run of equal boolean operators; `not` begins a new run, parentheses alone do not.
//! - One more when a function calls itself by name, or a method through its first parameter.
//! - The bodies of all these nest, and so do lambdas and functions inside functions. A function that holds nothing but another
//!   one and `return name` is a decorator and does not nest. Methods of a class inside a function begin at level 0.
//! - A nested function counts in the function around it too. Decorators and defaults belong to whatever is around the function.
//! - `try`, `finally`, `with` and comprehensions cost nothing.

use ruff_python_ast::Stmt;

/// The figure of one scope while it is walked.
#[derive(Debug, Default)]
pub struct Cognitive {
    pub total: u32,
    /// How many of its increments grow with the nesting around the scope.
    structures: u32,
    nesting: u32,
}

impl Cognitive {
    /// `if`, a loop, …: costs what it is nested in.
    pub fn add_structure(&mut self) {
        self.structures += 1;
        self.total = self.total.saturating_add(1 + self.nesting);
    }

    /// `else`, an operator, …: costs one anywhere.
    pub fn add_flat(&mut self, count: u32) {
        self.total = self.total.saturating_add(count);
    }

    pub fn nest(&mut self) {
        self.nesting += 1;
    }

    pub fn unnest(&mut self) {
        self.nesting -= 1;
    }

    /// A function ended inside this one.
    pub fn absorb_function(&mut self, inner: &Cognitive, is_decorator: bool) {
        let level = self.nesting + u32::from(!is_decorator);
        self.structures += inner.structures;
        self.total =
            self.total.saturating_add(inner.total).saturating_add(inner.structures.saturating_mul(level));
    }

    /// A class ended inside this scope, or a function ended inside this class.
    pub fn absorb_class(&mut self, inner: &Cognitive) {
        self.total = self.total.saturating_add(inner.total);
    }
}

/// Whether a function with this body does nothing but define another and return names.
pub fn is_decorator(body: &[Stmt]) -> bool {
    let functions = body.iter().filter(|statement| statement.is_function_def_stmt()).count();
    let returns_a_name = |statement: &Stmt| {
        statement
            .as_return_stmt()
            .is_some_and(|node| node.value.as_ref().is_some_and(|value| value.is_name_expr()))
    };
    functions == 1 && body.iter().filter(|statement| returns_a_name(statement)).count() == body.len() - 1
}
