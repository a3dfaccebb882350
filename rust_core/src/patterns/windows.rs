//! The parts of a source in which a rule has to look.

use std::ops::Range;

/// From a hint to the end of the longest match; a private key needs the most.
const REACH_BYTES: usize = 9 * 1024;
/// What stands before a hint in its line and may belong to the match.
const BEFORE_BYTES: usize = 256;

/// Ranges in order that neither overlap nor touch.
#[derive(Default)]
pub struct Windows(Vec<Range<usize>>);

impl Windows {
    /// Look everywhere.
    pub fn add_all(&mut self, source: &[u8]) {
        self.0 = std::iter::once(0..source.len()).collect();
    }

    /// Look around a hint. Hints come in the order of their ends.
    pub fn add_around(&mut self, source: &[u8], start: usize, end: usize) {
        let earliest = start.saturating_sub(BEFORE_BYTES);
        let line_start =
            memchr::memrchr(b'\n', &source[earliest..start]).map_or(earliest, |at| earliest + at + 1);
        let stop = source.len().min(end + REACH_BYTES);
        match self.0.last_mut() {
            Some(last) if line_start <= last.end => last.end = last.end.max(stop),
            _ => self.0.push(line_start..stop),
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Range<usize>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{REACH_BYTES, Windows};

    #[test]
    fn joins_what_overlaps_and_begins_with_the_line() {
        let source = [b"ab\ncdef".as_slice(), &[b' '; 3 * REACH_BYTES], b"\nend"].concat();
        let mut windows = Windows::default();
        windows.add_around(&source, 4, 5);
        windows.add_around(&source, 20, 22);
        windows.add_around(&source, source.len() - 3, source.len());
        let found: Vec<_> = windows.iter().cloned().collect();
        assert_eq!(found, [3..22 + REACH_BYTES, source.len() - 3..source.len()]);
    }
}
