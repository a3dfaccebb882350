//! JavaScript, with JSX.

use super::rules::{Grammar, Rule};

pub static JAVASCRIPT: Grammar = Grammar {
    name: "javascript",
    language: tree_sitter_javascript::LANGUAGE,
    nodes: &[NODES],
    tokens: TOKENS,
    separator: ".",
    name_givers: NAME_GIVERS,
    has_bare_method_calls: false,
    has_namespace_functions: true,
    has_macros: false,
};

pub const NODES: &[(&str, Rule)] = &[
    ("comment", Rule::Comment),
    ("html_comment", Rule::Comment),
    ("hash_bang_line", Rule::Comment),
    ("function_declaration", Rule::Function),
    ("function_expression", Rule::Function),
    ("generator_function", Rule::Function),
    ("generator_function_declaration", Rule::Function),
    ("arrow_function", Rule::Function),
    ("method_definition", Rule::Method),
    ("class", Rule::Class("name")),
    ("class_declaration", Rule::Class("name")),
    ("if_statement", Rule::If),
    ("else_clause", Rule::Else),
    ("ternary_expression", Rule::Ternary),
    ("for_statement", Rule::Loop),
    ("for_in_statement", Rule::Loop),
    ("while_statement", Rule::Loop),
    ("do_statement", Rule::Loop),
    ("switch_statement", Rule::Switch),
    ("try_statement", Rule::Try),
    ("catch_clause", Rule::Catch),
    // A default is used or not: lizard and ESLint count it.
    ("assignment_pattern", Rule::One),
    ("object_assignment_pattern", Rule::One),
    ("binary_expression", Rule::Binary),
    ("parenthesized_expression", Rule::Parens),
    ("break_statement", Rule::Jump("statement_identifier")),
    ("continue_statement", Rule::Jump("statement_identifier")),
    ("call_expression", Rule::Call("function")),
    ("new_expression", Rule::Call("constructor")),
];

pub const TOKENS: &[(&str, Rule)] = &[
    ("case", Rule::One),
    ("&&", Rule::LogicalOperator),
    ("||", Rule::LogicalOperator),
    // Sonar's paper leaves these out, as shorthand.
    ("??", Rule::One),
    ("??=", Rule::One),
    ("||=", Rule::One),
    ("&&=", Rule::One),
];

pub const NAME_GIVERS: &[(&str, &str)] = &[
    ("variable_declarator", "name"),
    ("assignment_expression", "left"),
    ("assignment_pattern", "left"),
    ("pair", "key"),
    ("field_definition", "property"),
    ("public_field_definition", "name"),
];
