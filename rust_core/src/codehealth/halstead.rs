//! Halstead's figures as radon counts them.
//!
//! Only binary, unary and boolean operators, augmented assignments and comparisons count. An operand is a name, an
//! attribute's last part or a constant's value, all in one set per function name, compared as Python compares values:
//! 1, True and 1.0 are one operand, and so are the name `x` and the string "x". Any other operand is unlike all others.

use std::borrow::Cow;

use hashbrown::HashSet;
use ruff_python_ast::{Expr, ExprStringLiteral, Number};

use super::numbers::{NumberKey, float_key, int_key};

/// The fields of `radon.metrics.HalsteadReport` for a whole file.
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

/// Where operands are told apart: a function's name, `None` outside functions.
pub type Context<'a> = Option<&'a str>;

#[derive(PartialEq, Eq, Hash)]
enum Operand<'a> {
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Number(NumberKey),
    None,
    Ellipsis,
}

/// Counts operators and operands while the walker passes them.
pub struct HalsteadCounter<'a> {
    text: &'a str,
    seen_operators: u64,
    seen_operands: HashSet<(Context<'a>, Operand<'a>)>,
    unlike_operands: u32,
    operators: u32,
    operands: u32,
}

impl<'a> HalsteadCounter<'a> {
    pub fn new(text: &'a str) -> Self {
        let seen_operands = HashSet::new();
        Self { text, seen_operators: 0, seen_operands, unlike_operands: 0, operators: 0, operands: 0 }
    }

    /// Count the operator that `expression` is, when it is one, and its operands.
    pub fn read(&mut self, context: Context<'a>, expression: &'a Expr) {
        match expression {
            Expr::BinOp(node) => {
                self.add_operator(BINARY + node.op as u32);
                self.add_operand(context, &node.left);
                self.add_operand(context, &node.right);
            }
            Expr::UnaryOp(node) => {
                self.add_operator(UNARY + node.op as u32);
                self.add_operand(context, &node.operand);
            }
            Expr::BoolOp(node) => {
                self.add_operator(BOOLEAN + node.op as u32);
                node.values.iter().for_each(|value| self.add_operand(context, value));
            }
            Expr::Compare(node) => {
                node.ops.iter().for_each(|op| self.add_operator(COMPARISON + *op as u32));
                self.add_operand(context, &node.left);
                node.comparators.iter().for_each(|value| self.add_operand(context, value));
            }
            _ => {}
        }
    }

    /// Count `target op= value`; its operator is that of the binary expression.
    pub fn read_assignment(&mut self, context: Context<'a>, node: &'a ruff_python_ast::StmtAugAssign) {
        self.add_operator(BINARY + node.op as u32);
        self.add_operand(context, &node.target);
        self.add_operand(context, &node.value);
    }

    fn add_operator(&mut self, bit: u32) {
        self.operators += 1;
        self.seen_operators |= 1 << bit;
    }

    fn add_operand(&mut self, context: Context<'a>, expression: &'a Expr) {
        self.operands += 1;
        match operand_of(expression, self.text) {
            Some(operand) => {
                self.seen_operands.insert((context, operand));
            }
            None => self.unlike_operands += 1,
        }
    }

    pub fn report(&self) -> HalsteadReport {
        let (h1, h2) =
            (self.seen_operators.count_ones(), self.seen_operands.len() as u32 + self.unlike_operands);
        let (n1, n2) = (self.operators, self.operands);
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
