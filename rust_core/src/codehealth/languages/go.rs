//! Go.

use super::rules::{Grammar, Rule};

pub static GO: Grammar = Grammar {
    name: "go",
    language: tree_sitter_go::LANGUAGE,
    nodes: &[NODES],
    tokens: &[("case", Rule::One), ("&&", Rule::LogicalOperator), ("||", Rule::LogicalOperator)],
    separator: ".",
    name_givers: &[
        ("short_var_declaration", "left"),
        ("assignment_statement", "left"),
        ("var_spec", "name"),
        ("keyed_element", "key"),
    ],
    has_bare_method_calls: false,
    has_namespace_functions: false,
    has_macros: false,
};

const NODES: &[(&str, Rule)] = &[
    ("comment", Rule::Comment),
    ("function_declaration", Rule::Function),
    ("method_declaration", Rule::Method),
    ("func_literal", Rule::Function),
    ("if_statement", Rule::If),
    ("for_statement", Rule::Loop),
    ("expression_switch_statement", Rule::Switch),
    ("type_switch_statement", Rule::Switch),
    ("select_statement", Rule::Switch),
    ("expression_case", Rule::Case),
    ("type_case", Rule::Case),
    ("communication_case", Rule::Case),
    ("default_case", Rule::Case),
    ("binary_expression", Rule::Binary),
    ("parenthesized_expression", Rule::Parens),
    ("goto_statement", Rule::Goto),
    ("break_statement", Rule::Jump("label_name")),
    ("continue_statement", Rule::Jump("label_name")),
    ("call_expression", Rule::Call("function")),
];
