//! A language's table, looked up by the numbers that its grammar gives to node kinds and fields.

use std::num::NonZeroU16;

use tree_sitter::{Language, Node};

use super::rules::{Grammar, Rule};

/// The fields that tell where in a node a child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Other,
    Body,
    Alternative,
    Condition,
}

pub struct Compiled {
    pub grammar: &'static Grammar,
    rules: Vec<Rule>,
    fields: Vec<Field>,
}

impl Compiled {
    pub fn new(grammar: &'static Grammar) -> Self {
        let language = Language::new(grammar.language);
        let kinds = 0..language.node_kind_count() as u16;
        let rules = kinds.map(|id| rule_of(grammar, &language, id)).collect();
        let fields = 0..=language.field_count() as u16;
        let fields = fields.map(|id| field_of(language.field_name_for_id(id))).collect();
        Self { grammar, rules, fields }
    }

    pub fn rule(&self, node: Node) -> Rule {
        // The kind of an error lies outside of the table.
        self.rules.get(usize::from(node.kind_id())).copied().unwrap_or(Rule::Plain)
    }

    pub fn field(&self, field: Option<NonZeroU16>) -> Field {
        field.map_or(Field::Other, |id| self.fields[usize::from(id.get())])
    }
}

fn rule_of(grammar: &Grammar, language: &Language, id: u16) -> Rule {
    let Some(kind) = language.node_kind_for_id(id) else { return Rule::Plain };
    let mut known: Box<dyn Iterator<Item = &(&str, Rule)>> = if language.node_kind_is_named(id) {
        Box::new(grammar.nodes.iter().copied().flatten())
    } else {
        Box::new(grammar.tokens.iter())
    };
    known.find(|(name, _)| *name == kind).map_or(Rule::Plain, |(_, rule)| *rule)
}

fn field_of(name: Option<&str>) -> Field {
    match name {
        Some("body" | "consequence") => Field::Body,
        Some("alternative") => Field::Alternative,
        Some("condition" | "name") => Field::Condition,
        _ => Field::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::GRAMMARS;
    use super::*;

    fn kinds(language: &Language, is_named: bool) -> Vec<&str> {
        let ids = 0..language.node_kind_count() as u16;
        let ids = ids.filter(|id| language.node_kind_is_named(*id) == is_named);
        ids.filter_map(|id| language.node_kind_for_id(id)).collect()
    }

    #[test]
    fn finds_every_name_of_every_table_in_its_grammar() {
        for grammar in GRAMMARS {
            let language = Language::new(grammar.language);
            let (named, tokens) = (kinds(&language, true), kinds(&language, false));
            for (name, rule) in grammar.nodes.iter().copied().flatten() {
                assert!(named.contains(name), "{}: {name}", grammar.name);
                if let Rule::BranchWith(field) | Rule::OneWith(field) | Rule::Class(field) = rule {
                    assert!(language.field_id_for_name(field).is_some(), "{}: {field}", grammar.name);
                }
            }
            for (name, _) in grammar.tokens {
                assert!(tokens.contains(name), "{}: {name}", grammar.name);
            }
        }
    }
}
