//! Numbers compared as Python compares them: 1 == 1.0, and 10**22 == 1e22, exactly.

use ruff_python_ast::Int;

/// Equal keys stand for equal numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum NumberKey {
    Int(u64),
    /// An integer beyond 64 bits: its 32-bit limbs, the lowest first, without leading zeros.
    BigInt(Vec<u32>),
    Float(u64),
    Imaginary(u64),
}

pub fn int_key(value: &Int) -> NumberKey {
    match value.as_u64() {
        Some(small) => NumberKey::Int(small),
        None => NumberKey::BigInt(limbs_of_literal(&value.to_string())),
    }
}

pub fn float_key(value: f64) -> NumberKey {
    if value.fract() != 0.0 || !value.is_finite() {
        return NumberKey::Float(value.to_bits());
    }
    // A literal is never negative, and every whole float below 2**64 is exactly a u64.
    if value < 18_446_744_073_709_551_616.0 {
        return NumberKey::Int(value as u64);
    }
    let exponent = (value.to_bits() >> 52) as usize - 1075;
    let mantissa = u128::from(value.to_bits() & ((1 << 52) - 1) | 1 << 52) << (exponent % 32);
    let mut limbs = vec![0; exponent / 32];
    limbs.extend([mantissa as u32, (mantissa >> 32) as u32, (mantissa >> 64) as u32]);
    NumberKey::BigInt(without_leading_zeros(limbs))
}

fn limbs_of_literal(literal: &str) -> Vec<u32> {
    let digits = literal.replace('_', "").to_ascii_lowercase();
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits.as_str()),
    };
    // Python refuses decimal literals of more than 4,300 digits; without a bound this loop is quadratic in the digits.
    if digits.len() > 20_000 {
        return digits.bytes().map(u32::from).collect();
    }
    let mut limbs = Vec::new();
    for digit in digits.chars().filter_map(|digit| digit.to_digit(radix)) {
        multiply_add(&mut limbs, radix, digit);
    }
    without_leading_zeros(limbs)
}

fn multiply_add(limbs: &mut Vec<u32>, factor: u32, addend: u32) {
    let mut carry = u64::from(addend);
    for limb in limbs.iter_mut() {
        let sum = u64::from(*limb) * u64::from(factor) + carry;
        *limb = sum as u32;
        carry = sum >> 32;
    }
    if carry > 0 {
        limbs.push(carry as u32);
    }
}

fn without_leading_zeros(mut limbs: Vec<u32>) -> Vec<u32> {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    limbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_a_whole_float_equal_to_its_integer() {
        assert_eq!(float_key(1.0), NumberKey::Int(1));
        assert_eq!(float_key(1e22), NumberKey::BigInt(limbs_of_literal("10_000_000_000_000_000_000_000")));
        assert_ne!(float_key(1e23), NumberKey::BigInt(limbs_of_literal("100000000000000000000000")));
        assert_eq!(
            float_key(18446744073709551616.0),
            NumberKey::BigInt(limbs_of_literal("0x1_0000_0000_0000_0000"))
        );
    }

    #[test]
    fn tells_a_fraction_from_an_integer() {
        assert_ne!(float_key(1.5), float_key(1.0));
    }
}
