//! How surprising a value is.

/// Return the Shannon entropy of the bytes' frequencies, in bits per byte: 0 for "aaaa", about 4 for hexadecimal digits at random.
pub fn bits_per_byte(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in value {
        counts[byte as usize] += 1;
    }
    let total = value.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f64::from(count) / total)
        .map(|p| -p * p.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::bits_per_byte;

    #[test]
    fn measures_bits() {
        assert_eq!(bits_per_byte(b"aaaa"), 0.0);
        assert_eq!(bits_per_byte(b"abab"), 1.0);
        assert_eq!(bits_per_byte(b""), 0.0);
        assert_eq!(bits_per_byte(b"0123456789abcdef"), 4.0);
    }
}
