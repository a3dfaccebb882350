//! What the core says instead of failing.

/// Why a source has no figures, or not all of them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Diagnosis {
    /// Counted from 1; 0 when the diagnosis is about the file as a whole.
    pub line: u32,
    /// Characters from the line's start, counted from 1; 0 when it is about the file as a whole.
    pub column: u32,
    pub message: String,
}

impl Diagnosis {
    /// A diagnosis about the file as a whole.
    pub fn of_file(message: impl Into<String>) -> Self {
        Self { line: 0, column: 0, message: message.into() }
    }
}
