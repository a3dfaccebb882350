//! C++: C and what it adds.

use super::c;
use super::rules::{Grammar, Rule};

pub static CPP: Grammar = Grammar {
    name: "cpp",
    language: tree_sitter_cpp::LANGUAGE,
    nodes: &[c::NODES, NODES],
    tokens: &[
        ("case", Rule::One),
        ("&&", Rule::LogicalOperator),
        ("||", Rule::LogicalOperator),
        ("and", Rule::LogicalOperator),
        ("or", Rule::LogicalOperator),
    ],
    separator: "::",
    name_givers: &[],
    has_bare_method_calls: true,
    has_namespace_functions: false,
    has_macros: true,
};

const NODES: &[(&str, Rule)] = &[
    ("lambda_expression", Rule::Lambda),
    ("class_specifier", Rule::Class("name")),
    ("struct_specifier", Rule::Class("name")),
    ("union_specifier", Rule::Class("name")),
    ("namespace_definition", Rule::Namespace("name")),
    ("for_range_loop", Rule::Loop),
    ("try_statement", Rule::Try),
    ("catch_clause", Rule::Catch),
    ("new_expression", Rule::Call("type")),
];
