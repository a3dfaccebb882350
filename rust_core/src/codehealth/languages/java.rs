//! Java.

use super::rules::{Grammar, Rule};

pub static JAVA: Grammar = Grammar {
    name: "java",
    language: tree_sitter_java::LANGUAGE,
    nodes: &[NODES],
    tokens: &[("case", Rule::One), ("&&", Rule::LogicalOperator), ("||", Rule::LogicalOperator)],
    separator: ".",
    name_givers: &[],
    has_bare_method_calls: true,
    has_namespace_functions: false,
    has_macros: false,
};

const NODES: &[(&str, Rule)] = &[
    ("line_comment", Rule::Comment),
    ("block_comment", Rule::Comment),
    ("method_declaration", Rule::Method),
    ("constructor_declaration", Rule::Method),
    ("compact_constructor_declaration", Rule::Method),
    ("lambda_expression", Rule::Lambda),
    ("class_declaration", Rule::Class("name")),
    ("interface_declaration", Rule::Class("name")),
    ("enum_declaration", Rule::Class("name")),
    ("record_declaration", Rule::Class("name")),
    ("annotation_type_declaration", Rule::Class("name")),
    ("if_statement", Rule::If),
    ("ternary_expression", Rule::Ternary),
    ("for_statement", Rule::Loop),
    ("enhanced_for_statement", Rule::Loop),
    ("while_statement", Rule::Loop),
    ("do_statement", Rule::Loop),
    ("switch_expression", Rule::Switch),
    ("try_statement", Rule::Try),
    ("try_with_resources_statement", Rule::Try),
    ("catch_clause", Rule::Catch),
    ("binary_expression", Rule::Binary),
    ("parenthesized_expression", Rule::Parens),
    ("break_statement", Rule::Jump("identifier")),
    ("continue_statement", Rule::Jump("identifier")),
    ("method_invocation", Rule::Call("name")),
    ("object_creation_expression", Rule::Call("type")),
    ("explicit_constructor_invocation", Rule::Call("constructor")),
];
