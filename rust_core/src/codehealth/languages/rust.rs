//! Rust. What stands in a macro's arguments is tokens to the grammar and counts nothing.

use super::rules::{Grammar, Rule};

pub static RUST: Grammar = Grammar {
    name: "rust",
    language: tree_sitter_rust::LANGUAGE,
    nodes: &[NODES],
    tokens: &[("&&", Rule::LogicalOperator), ("||", Rule::LogicalOperator)],
    separator: "::",
    name_givers: &[],
    has_bare_method_calls: false,
    has_namespace_functions: false,
    has_macros: false,
};

const NODES: &[(&str, Rule)] = &[
    ("line_comment", Rule::Comment),
    ("block_comment", Rule::Comment),
    ("function_item", Rule::Function),
    ("closure_expression", Rule::Lambda),
    ("impl_item", Rule::Class("type")),
    ("trait_item", Rule::Class("name")),
    ("mod_item", Rule::Namespace("name")),
    ("if_expression", Rule::If),
    ("else_clause", Rule::Else),
    ("for_expression", Rule::Loop),
    ("while_expression", Rule::Loop),
    ("loop_expression", Rule::EndlessLoop),
    ("match_expression", Rule::Switch),
    ("match_arm", Rule::Arm),
    // A guard.
    ("match_pattern", Rule::OneWith("condition")),
    // `let … else`.
    ("let_declaration", Rule::BranchWith("alternative")),
    // `?`, an early return; lizard counts it too.
    ("try_expression", Rule::One),
    ("binary_expression", Rule::Binary),
    ("let_chain", Rule::Chain),
    ("parenthesized_expression", Rule::Parens),
    ("break_expression", Rule::Jump("label")),
    ("continue_expression", Rule::Jump("label")),
    ("call_expression", Rule::Call("function")),
    ("macro_invocation", Rule::Call("macro")),
];
