//! One walk over a syntax tree, for every language: what each node counts is in the language's table.
//!
//! The walk keeps its own stack, so that a tree of any depth costs no more than its nodes do.

use std::num::NonZeroU16;

use ruff_text_size::TextSize;
use tree_sitter::{Node, Tree};

use super::super::FunctionAudit;
use super::super::lines::LineStarts;
use super::compiled::{Compiled, Field};
use super::faults::Faults;
use super::frames::Frame;
use super::line_marks::LineMarks;
use super::names::{callee, count_parameters, is_async, receiver};
use super::qualified::{Qualifier, given_name};
use super::rules::Rule;

/// More functions than this are no source that a person reads; what stands after them is not reported.
const MAX_FUNCTIONS: usize = 100_000;

/// What a walk found.
pub struct Walked {
    pub functions: Vec<FunctionAudit>,
    pub marks: LineMarks,
    pub faults: Faults,
}

pub fn walk(text: &str, tree: &Tree, compiled: &Compiled, lines: &LineStarts) -> Walked {
    let mut walk = Walk {
        text,
        compiled,
        lines,
        open: Vec::new(),
        frames: vec![Frame::default()],
        sequences: Vec::new(),
        qualifier: Qualifier::new(compiled.grammar.separator),
        found: Walked { functions: Vec::new(), marks: LineMarks::default(), faults: Faults::default() },
    };
    let mut cursor = tree.walk();
    loop {
        let enters = walk.enter(cursor.node(), cursor.field_id());
        if enters && cursor.goto_first_child() {
            continue;
        }
        loop {
            walk.leave();
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                let mut found = walk.found;
                found.functions.retain(|function| function.end_line > 0);
                return found;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Top,
    Class,
    Function,
}

/// A node whose children are being read.
struct Open<'t> {
    node: Node<'t>,
    rule: Rule,
    container: Container,
    /// What a break of the flow costs extra here.
    nesting: u32,
    /// Control structures around what stands in here.
    depth: u32,
    /// The sequence of logical operators that an operator in here continues: one more than its index, 0 for none.
    sequence: usize,
    has_arm: bool,
    /// Inside what counts nothing: the condition of a directive, or what is broken already.
    is_muted: bool,
    is_faulty: bool,
    ends: Ends,
}

/// What leaving a node ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Nothing,
    Sequence,
    Name,
    /// The function at this place in the list.
    Function(usize),
}

/// How a child stands in its parent.
struct Place {
    nesting: u32,
    /// The `else` part of an `if`, or an `if` that follows `else`.
    is_else: bool,
}

struct Walk<'t, 'a> {
    text: &'t str,
    compiled: &'a Compiled,
    lines: &'a LineStarts<'t>,
    open: Vec<Open<'t>>,
    /// The functions around, and first a frame for what stands in none.
    frames: Vec<Frame<'t>>,
    /// The last operator of each open sequence of logical operators.
    sequences: Vec<Option<u16>>,
    qualifier: Qualifier,
    found: Walked,
}

impl<'t> Walk<'t, '_> {
    /// Read a node; returns whether its children are to be read.
    fn enter(&mut self, node: Node<'t>, field: Option<NonZeroU16>) -> bool {
        let rule = self.compiled.rule(node);
        self.mark_lines(node, rule);
        let mut open = self.opened(node, rule, self.compiled.field(field));
        if !open.is_muted {
            self.count(&mut open, self.compiled.field(field));
        }
        self.open.push(open);
        rule != Rule::Comment
    }

    fn leave(&mut self) {
        let Some(open) = self.open.pop() else { return };
        match open.ends {
            Ends::Nothing => {}
            Ends::Sequence => drop(self.sequences.pop()),
            Ends::Name => self.qualifier.pop(),
            Ends::Function(at) => {
                self.qualifier.pop();
                self.finish_function(at, open.node);
            }
        }
    }

    fn opened(&mut self, node: Node<'t>, rule: Rule, field: Field) -> Open<'t> {
        let mut open = Open {
            node,
            rule,
            container: Container::Top,
            nesting: 0,
            depth: 0,
            sequence: 0,
            has_arm: false,
            is_muted: false,
            is_faulty: node.is_error() || node.is_missing(),
            ends: Ends::Nothing,
        };
        let mut is_inside_fault = false;
        if let Some(parent) = self.open.last() {
            (open.container, open.depth) = (parent.container, parent.depth);
            open.is_muted = parent.is_muted || (parent.rule == Rule::Directive && field == Field::Condition);
            is_inside_fault = parent.is_faulty;
        }
        if open.is_faulty && !is_inside_fault {
            self.found.faults.add(node, self.text, self.lines);
        }
        open.is_faulty |= is_inside_fault;
        open
    }

    fn count(&mut self, open: &mut Open<'t>, field: Field) {
        let place = self.place(open, field);
        open.nesting = place.nesting;
        self.count_logic(open);
        let frame = self.frames.last_mut().expect("the file's own frame stays");
        if place.is_else {
            frame.add_flat();
        }
        let node = open.node;
        match open.rule {
            Rule::If if place.is_else => frame.cyclomatic += 1,
            Rule::If | Rule::Loop => frame.count_block(open, 1),
            Rule::EndlessLoop | Rule::Switch => frame.count_block(open, 0),
            Rule::Try => frame.count_depth(open),
            Rule::Ternary | Rule::Catch => frame.count_branch(open),
            Rule::Directive if place.is_else => frame.cyclomatic += 1,
            Rule::Directive => frame.count_branch(open),
            Rule::BranchWith(field) if node.child_by_field_name(field).is_some() => frame.count_branch(open),
            Rule::One => frame.cyclomatic += 1,
            Rule::OneWith(field) => {
                frame.cyclomatic += u32::from(node.child_by_field_name(field).is_some());
            }
            Rule::Arm => {
                let parent = self.open.last_mut();
                let is_first = parent.is_some_and(|parent| !std::mem::replace(&mut parent.has_arm, true));
                frame.cyclomatic += u32::from(!is_first);
            }
            Rule::Goto => frame.add_flat(),
            Rule::Jump(label) if has_child(node, label) => frame.add_flat(),
            Rule::Call(field) => self.count_call(node, field),
            Rule::Class(field) => self.enter_class(open, field),
            Rule::Namespace(field) => self.enter_namespace(open, field),
            Rule::Function | Rule::Method if has_body(node) => self.enter_function(open),
            _ => {}
        }
    }

    fn place(&self, open: &Open, field: Field) -> Place {
        let Some(parent) = self.open.last() else { return Place { nesting: 0, is_else: false } };
        let inside = Place { nesting: parent.nesting + 1, is_else: false };
        let beside = Place { nesting: parent.nesting, is_else: false };
        let is_branch = matches!(field, Field::Body | Field::Alternative);
        match parent.rule {
            Rule::If if field == Field::Alternative => match open.rule {
                Rule::Else => beside,
                Rule::If => Place { is_else: true, ..beside },
                _ => Place { is_else: true, ..inside },
            },
            Rule::Else if open.node.is_named() && !open.node.is_extra() => match open.rule {
                Rule::If => Place { is_else: true, ..beside },
                _ => Place { is_else: true, ..inside },
            },
            Rule::Directive | Rule::ElseDirective => match field {
                Field::Alternative => Place { is_else: true, ..beside },
                Field::Condition => beside,
                _ => inside,
            },
            Rule::If | Rule::Ternary | Rule::Loop | Rule::EndlessLoop | Rule::Catch if is_branch => inside,
            Rule::Lambda | Rule::BranchWith(_) if is_branch => inside,
            Rule::Switch if is_branch || open.rule == Rule::Case => inside,
            _ => beside,
        }
    }

    /// Find the sequence of logical operators that a node belongs to, and count the operator that begins a new one.
    fn count_logic(&mut self, open: &mut Open<'t>) {
        let Some(parent) = self.open.last() else { return };
        let continues = matches!(parent.rule, Rule::Binary | Rule::Chain | Rule::Parens);
        open.sequence = if continues { parent.sequence } else { 0 };
        match open.rule {
            Rule::Binary | Rule::Chain if !self.is_logical(open) => open.sequence = 0,
            Rule::Binary | Rule::Chain if open.sequence == 0 => {
                self.sequences.push(None);
                open.sequence = self.sequences.len();
                open.ends = Ends::Sequence;
            }
            Rule::LogicalOperator if open.sequence > 0 && parent.rule != Rule::Parens => {
                let frame = self.frames.last_mut().expect("the file's own frame stays");
                frame.cyclomatic += 1;
                let last = self.sequences[open.sequence - 1].replace(open.node.kind_id());
                if last != Some(open.node.kind_id()) {
                    frame.add_flat();
                }
            }
            _ => {}
        }
    }

    fn is_logical(&self, open: &Open) -> bool {
        let is_logical = |operator| self.compiled.rule(operator) == Rule::LogicalOperator;
        open.rule == Rule::Chain || open.node.child_by_field_name("operator").is_some_and(is_logical)
    }

    fn count_call(&mut self, call: Node<'t>, field: &str) {
        let (Some(called), true) = (callee(call, field, self.text), self.frames.len() > 1) else { return };
        let frame = self.frames.last_mut().expect("the file's own frame stays");
        frame.callees.insert(called.name);
        if called.name == frame.name {
            let is_own = match called.of {
                None => frame.is_called_bare,
                Some("this" | "self" | "Self") => true,
                of => of == frame.receiver,
            };
            // An overload has the same name.
            let arguments = call.child_by_field_name("arguments");
            let has_all = arguments.is_some_and(|list| list.named_child_count() as u32 == frame.parameters);
            frame.is_recursive |= is_own && (has_all || !self.compiled.grammar.has_bare_method_calls);
        }
    }

    fn enter_class(&mut self, open: &mut Open<'t>, field: &str) {
        open.container = Container::Class;
        self.qualifier.push_named(open.node.child_by_field_name(field), self.text);
        open.ends = Ends::Name;
    }

    fn enter_namespace(&mut self, open: &mut Open<'t>, field: &str) {
        open.container = Container::Top;
        self.qualifier.push_named(open.node.child_by_field_name(field), self.text);
        open.ends = Ends::Name;
    }

    fn enter_function(&mut self, open: &mut Open<'t>) {
        let node = open.node;
        let givers = self.compiled.grammar.name_givers;
        let around = self.open.iter().rev().map(|open| open.node);
        let given = given_name(node, around, givers, self.text);
        let (receiver_name, receiver_type) = receiver(node, self.text);
        let is_method =
            open.rule == Rule::Method || open.container == Container::Class || given.path.is_some();
        let kind = match open.container {
            _ if is_method => "method",
            Container::Function => "closure",
            _ => "function",
        };
        self.qualifier.push(receiver_type.or(given.path), given.name);
        let mut frame = Frame::new(given.name, open.nesting);
        frame.receiver = receiver_name;
        frame.parameters = count_parameters(node, self.text);
        frame.is_called_bare = !is_method || self.compiled.grammar.has_bare_method_calls;
        self.frames.push(frame);
        let (qualname, name_start) = self.qualifier.current();
        let place = self.found.functions.len();
        if place < MAX_FUNCTIONS {
            self.found.functions.push(FunctionAudit {
                qualname,
                name_start,
                kind,
                is_async: is_async(node),
                line: self.line(given.start),
                // The rest is set when the function ends, unless it is broken.
                ..FunctionAudit::default()
            });
        }
        open.ends = Ends::Function(place);
        open.container = Container::Function;
        (open.nesting, open.depth) = (0, 0);
    }

    fn finish_function(&mut self, at: usize, node: Node) {
        let Some(frame) = self.frames.pop() else { return };
        let cognitive = frame.cognitive(self.compiled.grammar.has_namespace_functions);
        if let Some(outer) = self.frames.last_mut() {
            outer.add_nested(&frame, cognitive);
        }
        let end_line = self.line(node.end_byte());
        if !self.is_whole(node) {
            return;
        }
        let Some(function) = self.found.functions.get_mut(at) else { return };
        function.end_line = end_line;
        function.cyclomatic = frame.cyclomatic;
        function.cognitive = cognitive;
        function.nesting = frame.max_depth;
        function.parameters = frame.parameters;
        function.fan_out = frame.callees.len() as u32;
    }

    fn is_whole(&self, function: Node) -> bool {
        let part = function.child_by_field_name("body").filter(|_| self.compiled.grammar.has_macros);
        !part.unwrap_or(function).has_error()
    }

    fn mark_lines(&mut self, node: Node, rule: Rule) {
        if rule != Rule::Comment && node.child_count() > 0 {
            return;
        }
        let words = self.text[node.byte_range()].trim_end();
        if words.is_empty() {
            return;
        }
        let first = self.line(node.start_byte());
        let last =
            if words.contains(['\n', '\r']) { self.line(node.start_byte() + words.len()) } else { first };
        if rule == Rule::Comment {
            self.found.marks.add_comment(first, last);
        } else {
            self.found.marks.add_code(first, last);
        }
    }

    fn line(&self, offset: usize) -> u32 {
        self.lines.line(TextSize::new(offset as u32))
    }
}

impl Frame<'_> {
    fn count_branch(&mut self, open: &Open) {
        self.cyclomatic += 1;
        self.add_structure(open.nesting);
    }

    fn count_block(&mut self, open: &mut Open, branches: u32) {
        self.cyclomatic += branches;
        self.add_structure(open.nesting);
        self.count_depth(open);
    }

    fn count_depth(&mut self, open: &mut Open) {
        open.depth += 1;
        self.max_depth = self.max_depth.max(open.depth);
    }
}

fn has_body(function: Node) -> bool {
    function.child_by_field_name("body").is_some()
}

fn has_child(node: Node, kind: &str) -> bool {
    (0..node.child_count()).filter_map(|at| node.child(at)).any(|child| child.kind() == kind)
}
