//! From places in a source to lines, for places that come in order.

/// Where something stands: line and column from 1, and the line's bytes.
pub struct Place<'a> {
    pub line: u32,
    pub column: u32,
    pub text: &'a [u8],
}

/// Counts line ends once, however many places are asked for.
pub struct Lines<'a> {
    source: &'a [u8],
    line: u32,
    line_start: usize,
}

impl<'a> Lines<'a> {
    pub fn new(source: &'a [u8]) -> Self {
        Self { source, line: 1, line_start: 0 }
    }

    /// Return where `at` is. Ask in ascending order.
    pub fn place(&mut self, at: usize) -> Place<'a> {
        self.line += memchr::memchr_iter(b'\n', &self.source[self.line_start..at]).count() as u32;
        self.line_start = memchr::memrchr(b'\n', &self.source[..at]).map_or(0, |end| end + 1);
        let rest = &self.source[self.line_start..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        Place { line: self.line, column: (at - self.line_start) as u32 + 1, text: &rest[..length] }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn counts_lines_between_places() {
        let mut lines = Lines::new(b"ab\ncd\n\nef");
        let found: Vec<_> = [0, 1, 3, 4, 6, 7, 8]
            .map(|at| {
                let place = lines.place(at);
                (place.line, place.column, place.text.to_vec())
            })
            .to_vec();
        let wanted =
            [(1, 1, "ab"), (1, 2, "ab"), (2, 1, "cd"), (2, 2, "cd"), (3, 1, ""), (4, 1, "ef"), (4, 2, "ef")];
        assert_eq!(found, wanted.map(|(line, column, text)| (line, column, text.as_bytes().to_vec())));
    }
}
