//! Where a source does not follow its grammar.

use ruff_text_size::TextSize;
use tree_sitter::Node;

use super::super::lines::LineStarts;
use crate::errors::Diagnosis;

/// Nobody reads more.
const MAX_DIAGNOSES: usize = 100;
const SHOWN_CHARACTERS: usize = 30;

/// Diagnoses in source order.
#[derive(Default)]
pub struct Faults {
    pub diagnoses: Vec<Diagnosis>,
}

impl Faults {
    /// Add what an error of the tree says: something is missing here, or this could not be read.
    pub fn add(&mut self, node: Node, text: &str, lines: &LineStarts) {
        if self.diagnoses.len() >= MAX_DIAGNOSES {
            return;
        }
        let start = first_word(node);
        let (line, column) = lines.line_column(TextSize::new(start as u32));
        let message = if node.is_missing() {
            format!("expected {}", quoted(node.kind()))
        } else {
            format!("unexpected {}", quoted(text[start..node.end_byte()].trim_start()))
        };
        self.diagnoses.push(Diagnosis { line, column, message });
    }
}

/// Where an error begins, its comments passed over.
fn first_word(node: Node) -> usize {
    let mut cursor = node.walk();
    let first = node.children(&mut cursor).find(|child| !child.is_extra());
    first.map_or(node.start_byte(), |child| child.start_byte())
}

fn quoted(words: &str) -> String {
    let first = words.lines().next().unwrap_or_default();
    match first.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("`{}…`", &first[..end]),
        None if first.is_empty() => "end of the file".to_string(),
        None => format!("`{first}`"),
    }
}
