//! C, as it stands in the file: the preprocessor does not run.

use super::rules::{Grammar, Rule};

pub static C: Grammar = Grammar {
    name: "c",
    language: tree_sitter_c::LANGUAGE,
    nodes: &[NODES],
    tokens: &[("case", Rule::One), ("&&", Rule::LogicalOperator), ("||", Rule::LogicalOperator)],
    separator: "::",
    name_givers: &[],
    has_bare_method_calls: false,
    has_namespace_functions: false,
    has_macros: true,
};

pub const NODES: &[(&str, Rule)] = &[
    ("comment", Rule::Comment),
    ("function_definition", Rule::Function),
    ("if_statement", Rule::If),
    ("else_clause", Rule::Else),
    ("conditional_expression", Rule::Ternary),
    ("for_statement", Rule::Loop),
    ("while_statement", Rule::Loop),
    ("do_statement", Rule::Loop),
    ("switch_statement", Rule::Switch),
    ("seh_try_statement", Rule::Try),
    ("seh_except_clause", Rule::Catch),
    ("preproc_if", Rule::Directive),
    ("preproc_ifdef", Rule::Directive),
    ("preproc_elif", Rule::Directive),
    ("preproc_elifdef", Rule::Directive),
    ("preproc_else", Rule::ElseDirective),
    ("binary_expression", Rule::Binary),
    ("parenthesized_expression", Rule::Parens),
    ("goto_statement", Rule::Goto),
    ("call_expression", Rule::Call("function")),
];
