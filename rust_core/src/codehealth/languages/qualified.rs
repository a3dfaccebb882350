//! What functions are called: `Class.method`, `outer.inner`, `namespace::function`.

use tree_sitter::Node;

use super::names::{function_declarator, name_node, name_text};

/// Deeper down only the last name is given, so that a million nested functions cost no gigabytes.
const MAX_LENGTH: usize = 300;
const NAMELESS: &str = "<anonymous>";

/// What a function's declaration says of its name.
pub struct Given<'t> {
    /// What it qualifies the name by, as C++ does outside of the class.
    pub path: Option<&'t str>,
    pub name: &'t str,
    /// Where the name stands; the function itself when it has none of its own.
    pub start: usize,
}

/// Return a function's name: its own, else that of the variable or key whose value it is.
pub fn given_name<'n, 't>(
    function: Node<'n>,
    mut around: impl Iterator<Item = Node<'n>>,
    givers: &[(&str, &str)],
    text: &'t str,
) -> Given<'t> {
    let nameless = Given { path: None, name: NAMELESS, start: function.start_byte() };
    if let Some(declared) = declared_name(function) {
        return own_name(declared, text).unwrap_or(nameless);
    }
    let giver = around.find(|node| !is_wrapper(node));
    let field = giver.and_then(|node| givers.iter().find(|(kind, _)| *kind == node.kind()));
    let name = giver.zip(field).and_then(|(node, (_, field))| node.child_by_field_name(field));
    match name.and_then(name_node).and_then(|node| name_text(node, text)) {
        Some(name) => Given { name, ..nameless },
        None => nameless,
    }
}

fn is_wrapper(node: &Node) -> bool {
    node.named_child_count() == 1
        && matches!(node.kind(), "expression_list" | "parenthesized_expression" | "literal_element")
}

fn declared_name(function: Node) -> Option<Node> {
    function.child_by_field_name("name").or_else(|| {
        let declarator = function_declarator(function)?;
        if declarator.kind() == "operator_cast" {
            return Some(declarator);
        }
        declarator.child_by_field_name("declarator")
    })
}

fn own_name<'t>(declared: Node, text: &'t str) -> Option<Given<'t>> {
    let node = name_node(declared)?;
    let name = name_text(node, text)?;
    // A conversion's parameters are part of its node.
    let name = if node.kind() == "operator_cast" { name.split('(').next()?.trim_end() } else { name };
    let path = text[declared.start_byte()..node.start_byte()].trim_end_matches("::");
    let is_path = declared.kind() == "qualified_identifier" && !path.contains(char::is_whitespace);
    Some(Given { path: (is_path && !path.is_empty()).then_some(path), name, start: node.start_byte() })
}

/// The name of what is being read, grown and cut as the walk goes in and out.
pub struct Qualifier {
    separator: &'static str,
    name: String,
    /// For each part: how long the name was before it, and where its last name begins.
    parts: Vec<(usize, usize)>,
}

impl Qualifier {
    pub fn new(separator: &'static str) -> Self {
        Self { separator, name: String::new(), parts: Vec::new() }
    }

    /// Add a part: a name, and before it what qualifies it already.
    pub fn push(&mut self, path: Option<&str>, name: &str) {
        let length = self.name.len();
        for part in path.into_iter().chain([name]) {
            if !self.name.is_empty() {
                self.name.push_str(self.separator);
            }
            self.name.push_str(part);
        }
        self.parts.push((length, self.name.len() - name.len()));
    }

    /// Add the part that a node names; a node without one is anonymous.
    pub fn push_named(&mut self, node: Option<Node>, text: &str) {
        let name = node.and_then(name_node).and_then(|node| name_text(node, text));
        self.push(None, name.unwrap_or(NAMELESS));
    }

    pub fn pop(&mut self) {
        if let Some((length, _)) = self.parts.pop() {
            self.name.truncate(length);
        }
    }

    /// Return the name as it stands, and where its last part begins.
    pub fn current(&self) -> (String, usize) {
        let start = self.parts.last().map_or(0, |(_, start)| *start);
        if start <= MAX_LENGTH {
            return (self.name.clone(), start);
        }
        let cut = format!("…{}", self.separator);
        (format!("{cut}{}", &self.name[start..]), cut.len())
    }
}
