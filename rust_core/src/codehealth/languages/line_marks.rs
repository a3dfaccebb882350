//! Raw counts of a source whose comments are known: every line is code, comment or blank.

use super::super::lines::LineStarts;
use super::super::raw::RawCounts;

const CODE: u8 = 1;
const COMMENT: u8 = 2;
/// Of a comment that spans lines.
const LONG: u8 = 4;

/// What stands on each line.
#[derive(Default)]
pub struct LineMarks {
    marks: Vec<u8>,
}

impl LineMarks {
    /// Mark the lines from the first to the last, counted from 1, as holding code.
    pub fn add_code(&mut self, first: u32, last: u32) {
        self.add(first, last, CODE);
    }

    pub fn add_comment(&mut self, first: u32, last: u32) {
        self.add(first, last, if first == last { COMMENT } else { COMMENT | LONG });
    }

    fn add(&mut self, first: u32, last: u32, mark: u8) {
        let needed = last as usize;
        if self.marks.len() < needed {
            self.marks.resize(needed, 0);
        }
        for line in &mut self.marks[first as usize - 1..needed] {
            *line |= mark;
        }
    }

    /// Return the counts: `sloc` + `single_comments` + `multi` + `blank` is `loc`, as radon has it.
    pub fn counts(&self, lines: &LineStarts) -> RawCounts {
        let mut counts = RawCounts::default();
        let marks = self.marks.iter().copied().chain(std::iter::repeat(0));
        for (text, mark) in lines.texts().zip(marks) {
            counts.loc += 1;
            counts.comments += u32::from(mark & COMMENT != 0);
            *match mark {
                _ if mark & CODE != 0 => &mut counts.sloc,
                _ if mark & LONG != 0 => &mut counts.multi,
                _ if mark & COMMENT != 0 => &mut counts.single_comments,
                _ if text.trim().is_empty() => &mut counts.blank,
                // Text that the grammar could make nothing of.
                _ => &mut counts.sloc,
            } += 1;
        }
        counts
    }
}
