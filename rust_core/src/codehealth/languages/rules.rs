//! What a node of a grammar can stand for. A language is a table from its grammar's names to these.

use tree_sitter_language::LanguageFn;

/// What a node counts. The figures follow lizard (cyclomatic) and Sonar's paper (cognitive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Plain,
    Comment,
    /// A function that is reported when it has a body.
    Function,
    /// The same, standing in what other languages call a class.
    Method,
    /// Belongs to the function around it: nests, and is not reported.
    Lambda,
    /// Names what stands in it; the field holds its name.
    Class(&'static str),
    Namespace(&'static str),
    If,
    /// Holds the statement that follows `else`.
    Else,
    Ternary,
    Loop,
    /// A loop without a condition, which is left by other branches only.
    EndlessLoop,
    Switch,
    /// A case that stands in its switch without a body between them.
    Case,
    /// Counts one, unless it is the first of its switch.
    Arm,
    Try,
    Catch,
    /// Branches when the field is there.
    BranchWith(&'static str),
    /// Counts one for the cyclomatic figure alone.
    One,
    OneWith(&'static str),
    /// `#if` and its like.
    Directive,
    ElseDirective,
    /// A binary expression, logical when its operator is.
    Binary,
    /// A chain of conditions joined by a logical operator.
    Chain,
    LogicalOperator,
    Parens,
    /// `goto`, or a jump when it has a child of this kind, its label.
    Goto,
    Jump(&'static str),
    /// A call; the field holds what is called.
    Call(&'static str),
}

/// One language: its grammar and what its nodes count.
pub struct Grammar {
    pub name: &'static str,
    pub language: LanguageFn,
    /// Named nodes.
    pub nodes: &'static [&'static [(&'static str, Rule)]],
    /// Keywords and operators.
    pub tokens: &'static [(&'static str, Rule)],
    /// Stands between the parts of a qualified name.
    pub separator: &'static str,
    /// Nodes that name a function which is their value, with the field that holds the name.
    pub name_givers: &'static [(&'static str, &'static str)],
    /// Whether a bare `name()` in a method calls that method.
    pub has_bare_method_calls: bool,
    /// Whether a function without control flow of its own is a namespace, whose functions do not count as nested.
    pub has_namespace_functions: bool,
    /// Whether an error before the body may be a macro, so that a function whose body is sound counts as whole.
    pub has_macros: bool,
}
