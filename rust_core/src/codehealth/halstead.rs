//! Halstead's figures as radon counts them.
//!
//! Only binary, unary and boolean operators, augmented assignments and comparisons count. An operand is a name, an
//! attribute's last part or a constant's value, all in one set per function name, compared as Python compares values:
//! 1, True and 1.0 are one operand, and so are the name `x` and the string "x". Any other operand is unlike all others.

use std::borrow::Cow;

use hashbrown::HashMap;
use ruff_python_ast::{
    Expr, ExprBinOp, ExprBoolOp, ExprCompare, ExprStringLiteral, ExprUnaryOp, Number, StmtAugAssign,
};

use super::numbers::{NumberKey, float_key, int_key};

/// How many different operators and operands there are, and how many in all; every other figure follows from these.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HalsteadCounts {
    pub h1: u32,
    pub h2: u32,
    pub n1: u32,
    pub n2: u32,
}

/// The fields of `radon.metrics.HalsteadReport`.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct HalsteadReport {
    pub h1: u32,
    pub h2: u32,
    pub n1: u32,
    pub n2: u32,
    pub vocabulary: u32,
    pub length: u32,
    pub calculated_length: f64,
    pub volume: f64,
    pub difficulty: f64,
    pub effort: f64,
    pub time: f64,
    pub bugs: f64,
}

impl HalsteadCounts {
    pub fn report(self) -> HalsteadReport {
        let Self { h1, h2, n1, n2 } = self;
        let (vocabulary, length) = (h1 + h2, n1 + n2);
        let entropy = |count: u32| f64::from(count) * log2(count);
        let calculated_length = if h1 > 0 && h2 > 0 { entropy(h1) + entropy(h2) } else { 0.0 };
        let volume = if vocabulary > 0 { f64::from(length) * log2(vocabulary) } else { 0.0 };
        let difficulty = if h2 > 0 { f64::from(h1) * f64::from(n2) / (2.0 * f64::from(h2)) } else { 0.0 };
        let effort = difficulty * volume;
        HalsteadReport {
            h1,
            h2,
            n1,
            n2,
            vocabulary,
            length,
            calculated_length,
            volume,
            difficulty,
            effort,
            time: effort / 18.0,
            bugs: volume / 3000.0,
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Operand<'a> {
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Number(NumberKey),
    None,
    Ellipsis,
}

/// The file, or a function that the walk is inside of. Figures of a nested function are part of those around it.
struct Level {
    /// Where operands are told apart: a number for each function name, 0 outside functions.
    context: u32,
    /// How many operands had passed when the function began.
    entered_at: u32,
    seen_operators: u64,
    distinct_operands: u32,
    operators: u32,
    operands: u32,
}

impl Level {
    fn counts(&self) -> HalsteadCounts {
        HalsteadCounts {
            h1: self.seen_operators.count_ones(),
            h2: self.distinct_operands,
            n1: self.operators,
            n2: self.operands,
        }
    }
}

/// Counts operators and operands while the walker passes them.
///
/// One map serves every level: it holds when an operand was last seen, so that a level knows whether that was before it
/// began.
pub struct HalsteadCounter<'a> {
    text: &'a str,
    contexts: HashMap<&'a str, u32>,
    last_seen: HashMap<(u32, Operand<'a>), u32>,
    levels: Vec<Level>,
    clock: u32,
}

impl<'a> HalsteadCounter<'a> {
    pub fn new(text: &'a str) -> Self {
        let mut counter =
            Self { text, contexts: HashMap::new(), last_seen: HashMap::new(), levels: Vec::new(), clock: 0 };
        counter.push(0);
        counter
    }

    /// Go into the body of a function.
    pub fn enter(&mut self, function: &'a str) {
        let next = self.contexts.len() as u32 + 1;
        let context = *self.contexts.entry(function).or_insert(next);
        self.push(context);
    }

    fn push(&mut self, context: u32) {
        self.levels.push(Level {
            context,
            entered_at: self.clock,
            seen_operators: 0,
            distinct_operands: 0,
            operators: 0,
            operands: 0,
        });
    }

    /// Leave the function and return its counts.
    pub fn leave(&mut self) -> HalsteadCounts {
        let inner = self.levels.pop().expect("every leave follows an enter");
        let outer = self.innermost();
        outer.seen_operators |= inner.seen_operators;
        outer.operators += inner.operators;
        outer.operands += inner.operands;
        inner.counts()
    }

    /// The counts of the whole file.
    pub fn counts(&self) -> HalsteadCounts {
        self.levels[0].counts()
    }

    fn innermost(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the file's level is never left")
    }

    pub fn read_binary(&mut self, node: &'a ExprBinOp) {
        self.add_operator(BINARY + node.op as u32);
        self.add_operand(&node.left);
        self.add_operand(&node.right);
    }

    pub fn read_unary(&mut self, node: &'a ExprUnaryOp) {
        self.add_operator(UNARY + node.op as u32);
        self.add_operand(&node.operand);
    }

    pub fn read_boolean(&mut self, node: &'a ExprBoolOp) {
        self.add_operator(BOOLEAN + node.op as u32);
        node.values.iter().for_each(|value| self.add_operand(value));
    }

    pub fn read_comparison(&mut self, node: &'a ExprCompare) {
        node.ops.iter().for_each(|op| self.add_operator(COMPARISON + *op as u32));
        self.add_operand(&node.left);
        node.comparators.iter().for_each(|value| self.add_operand(value));
    }

    /// Count `target op= value`; its operator is that of the binary expression.
    pub fn read_assignment(&mut self, node: &'a StmtAugAssign) {
        self.add_operator(BINARY + node.op as u32);
        self.add_operand(&node.target);
        self.add_operand(&node.value);
    }

    fn add_operator(&mut self, bit: u32) {
        let level = self.innermost();
        level.operators += 1;
        level.seen_operators |= 1 << bit;
    }

    fn add_operand(&mut self, expression: &'a Expr) {
        self.clock += 1;
        let level = self.levels.last_mut().expect("the file's level is never left");
        level.operands += 1;
        let last_seen = operand_of(expression, self.text)
            .and_then(|operand| self.last_seen.insert((level.context, operand), self.clock));
        let is_new_to = |level: &&mut Level| last_seen.is_none_or(|at| at <= level.entered_at);
        for level in self.levels.iter_mut().rev().take_while(is_new_to) {
            level.distinct_operands += 1;
        }
    }
}

// One bit per operator: 13 binary, 4 unary, 2 boolean, 10 comparisons.
const BINARY: u32 = 0;
const UNARY: u32 = 16;
const BOOLEAN: u32 = 24;
const COMPARISON: u32 = 32;

// `math.log(x, 2)` is a quotient; `log2` may differ in the last digit.
fn log2(count: u32) -> f64 {
    f64::from(count).ln() / 2.0_f64.ln()
}

fn operand_of<'a>(expression: &'a Expr, text: &'a str) -> Option<Operand<'a>> {
    Some(match expression {
        Expr::Name(node) => Operand::Text(Cow::Borrowed(node.id.as_str())),
        Expr::Attribute(node) => Operand::Text(Cow::Borrowed(node.attr.as_str())),
        Expr::StringLiteral(node) => Operand::Text(string_value(node, text)),
        Expr::BytesLiteral(node) => Operand::Bytes(node.value.bytes().collect::<Vec<u8>>().into()),
        Expr::NumberLiteral(node) => Operand::Number(match &node.value {
            Number::Int(value) => int_key(value),
            Number::Float(value) => float_key(*value),
            // Python's complex literals are purely imaginary.
            Number::Complex { imag, .. } if *imag == 0.0 => NumberKey::Int(0),
            Number::Complex { imag, .. } => NumberKey::Imaginary(imag.to_bits()),
        }),
        Expr::BooleanLiteral(node) => Operand::Number(NumberKey::Int(u64::from(node.value))),
        Expr::NoneLiteral(_) => Operand::None,
        Expr::EllipsisLiteral(_) => Operand::Ellipsis,
        _ => return None,
    })
}

// The parser cannot hold lone surrogates and puts U+FFFD for each; the source text still tells them apart.
fn string_value<'a>(node: &'a ExprStringLiteral, text: &'a str) -> Cow<'a, str> {
    let value = node.value.to_str();
    if value.contains('\u{fffd}') { Cow::Borrowed(&text[node.range]) } else { Cow::Borrowed(value) }
}
