//! Radon's maintainability index, 0–100.

use super::raw::RawCounts;

/// Return the index of a file.
///
/// Radon's formula takes logical lines where the literature says source lines, and counts multi-line strings as comments.
pub fn maintainability_index(volume: f64, complexity: u32, raw: &RawCounts) -> f64 {
    if volume <= 0.0 || raw.lloc == 0 {
        return 100.0;
    }
    let comment_lines = f64::from(raw.comments + raw.multi);
    let comment_percent = if raw.sloc == 0 { 0.0 } else { comment_lines / f64::from(raw.sloc) * 100.0 };
    let index = 171.0 - 5.2 * volume.ln() - 0.23 * f64::from(complexity) - 16.2 * f64::from(raw.lloc).ln()
        + 50.0 * (2.46 * comment_percent.to_radians()).sqrt().sin();
    (index * 100.0 / 171.0).clamp(0.0, 100.0)
}
