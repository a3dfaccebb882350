//! TypeScript, and TypeScript with JSX: JavaScript and what types add.

use super::javascript;
use super::rules::{Grammar, Rule};

pub static TYPESCRIPT: Grammar = Grammar {
    name: "typescript",
    language: tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
    nodes: &[javascript::NODES, NODES],
    tokens: javascript::TOKENS,
    separator: ".",
    name_givers: javascript::NAME_GIVERS,
    has_bare_method_calls: false,
    has_namespace_functions: true,
    has_macros: false,
};

pub static TSX: Grammar = Grammar {
    name: "tsx",
    language: tree_sitter_typescript::LANGUAGE_TSX,
    nodes: &[javascript::NODES, NODES],
    tokens: javascript::TOKENS,
    separator: ".",
    name_givers: javascript::NAME_GIVERS,
    has_bare_method_calls: false,
    has_namespace_functions: true,
    has_macros: false,
};

const NODES: &[(&str, Rule)] = &[
    ("abstract_class_declaration", Rule::Class("name")),
    ("internal_module", Rule::Namespace("name")),
    ("module", Rule::Namespace("name")),
    ("required_parameter", Rule::OneWith("value")),
    ("optional_parameter", Rule::OneWith("value")),
];
