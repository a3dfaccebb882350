//! Whom a function calls: how many others, and whether itself.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use ruff_python_ast::Expr;

/// Collects the different names that each function calls, innermost function last.
#[derive(Default)]
pub struct Calls {
    hasher: DefaultHashBuilder,
    seen: Vec<u64>,
    starts: Vec<usize>,
}

impl Calls {
    pub fn enter(&mut self) {
        self.starts.push(self.seen.len());
    }

    /// Note a call outside of which no function is, or in the innermost function.
    pub fn note(&mut self, callee: &Expr) {
        if !self.starts.is_empty()
            && let Some(key) = self.key(callee)
        {
            self.seen.push(key);
        }
    }

    /// Leave the function and return how many different names it called itself.
    pub fn leave(&mut self) -> u32 {
        let start = self.starts.pop().expect("every leave follows an enter");
        let own = &mut self.seen[start..];
        own.sort_unstable();
        let repeated = own.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let distinct = own.len() - repeated;
        self.seen.truncate(start);
        distinct as u32
    }

    /// A key of `a.b.c`; of `f().c` or `x[0].c` that of `.c`. What has no name, such as `f()()`, has no key.
    fn key(&self, callee: &Expr) -> Option<u64> {
        let mut key = 0;
        let mut part = callee;
        loop {
            match part {
                Expr::Name(node) => return Some(self.hasher.hash_one((key, Some(node.id.as_str())))),
                Expr::Attribute(node) => {
                    key = self.hasher.hash_one((key, node.attr.as_str()));
                    part = &node.value;
                }
                _ if key == 0 => return None,
                // Not the key of the name alone: `f().c` is another than `c`.
                _ => return Some(self.hasher.hash_one((key, None::<&str>))),
            }
        }
    }
}

/// Whether a call of `callee` inside the function `name` calls that function; `first_parameter` is given for a method.
pub fn is_recursive(callee: &Expr, name: &str, first_parameter: Option<&str>) -> bool {
    match (callee, first_parameter) {
        (Expr::Name(node), None) => node.id.as_str() == name,
        (Expr::Attribute(node), Some(receiver)) => {
            node.attr.as_str() == name
                && node.value.as_name_expr().is_some_and(|value| value.id.as_str() == receiver)
        }
        _ => false,
    }
}
