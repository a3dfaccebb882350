//! The figures of one function while it is walked through, and what a nested one adds to those around it.

use hashbrown::HashSet;

/// Figures of a function that is being read. Cognitive complexity follows Sonar's paper of 2023.
#[derive(Default)]
pub struct Frame<'t> {
    pub name: &'t str,
    /// What a method calls itself by: Go's receiver.
    pub receiver: Option<&'t str>,
    /// Whether a bare `name()` means this function.
    pub is_called_bare: bool,
    pub parameters: u32,
    pub cyclomatic: u32,
    pub max_depth: u32,
    pub callees: HashSet<&'t str>,
    pub is_recursive: bool,
    /// How deep the function stands in the control structures of the one around it.
    pub outer_nesting: u32,
    cognitive: u32,
    /// How many increments grow with nesting, those of nested functions among them.
    sensitive: u32,
    /// Those of nested functions.
    sensitive_nested: u32,
    has_structure: bool,
}

impl<'t> Frame<'t> {
    pub fn new(name: &'t str, outer_nesting: u32) -> Self {
        Self { name, outer_nesting, cyclomatic: 1, ..Self::default() }
    }

    /// Count a break of the linear flow, which costs more the deeper it stands.
    pub fn add_structure(&mut self, nesting: u32) {
        self.cognitive += 1 + nesting;
        self.sensitive += 1;
        self.has_structure = true;
    }

    /// Count what costs the same at any depth: `else`, a jump to a label, a sequence of logical operators.
    pub fn add_flat(&mut self) {
        self.cognitive += 1;
    }

    /// Count a nested function: its own figure, one level deeper.
    pub fn add_nested(&mut self, nested: &Frame, cognitive: u32) {
        self.cognitive += cognitive + nested.sensitive * nested.outer_nesting;
        self.sensitive += nested.sensitive;
        self.sensitive_nested += nested.sensitive;
    }

    /// Return the figure. A function that only holds others, in languages that use it as a namespace, nests nothing.
    pub fn cognitive(&self, may_be_namespace: bool) -> u32 {
        let is_namespace = may_be_namespace && !self.has_structure;
        let nested = if is_namespace { 0 } else { self.sensitive_nested };
        self.cognitive.saturating_add(nested).saturating_add(u32::from(self.is_recursive))
    }
}
