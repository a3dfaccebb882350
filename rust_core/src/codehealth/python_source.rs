//! The audit of one Python text: parse, walk, put together.

use ruff_python_ast::ModModule;
use ruff_python_parser::{ParseError, Parsed};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::lines::LineStarts;
use super::maintainability::maintainability_index;
use super::raw::{count_raw, count_raw_unparsed};
use super::tree::with_tree;
use super::walk::{Figures, FunctionFigures, FunctionKind, walk};
use super::{FileAudit, FunctionAudit};
use crate::errors::Diagnosis;

/// Audit a text that is Python, or means to be.
pub fn audit_text(text: &str) -> FileAudit {
    let audited = with_tree(text, |parsed| {
        let figures = walk(text, parsed.suite());
        (put_together(text, parsed, &figures), figures.depth)
    });
    audited.unwrap_or_else(|problem| FileAudit {
        raw: count_raw_unparsed(text),
        errors: vec![problem],
        ..FileAudit::default()
    })
}

/// Nobody reads more, and a file of another language has one per token.
const MAX_DIAGNOSES: usize = 100;

fn put_together(text: &str, parsed: &Parsed<ModModule>, figures: &Figures) -> FileAudit {
    let lines = LineStarts::new(text);
    let raw = count_raw(text, parsed.tokens());
    let errors = parsed.errors();
    let mut error_offsets: Vec<TextSize> = errors.iter().map(|error| error.location.start()).collect();
    error_offsets.sort_unstable();
    let functions = figures
        .functions
        .iter()
        .filter(|function| is_whole(function.range, &error_offsets))
        .map(|function| function_audit(function, &lines))
        .collect();
    let mut audit = FileAudit {
        functions,
        raw,
        errors: errors.iter().take(MAX_DIAGNOSES).map(|error| diagnosis(error, &lines)).collect(),
        ..FileAudit::default()
    };
    if errors.is_empty() {
        let index = maintainability_index(figures.halstead.volume, figures.complexity_radon, &raw);
        audit.maintainability_index = Some(index);
        audit.complexity_radon = Some(figures.complexity_radon);
        audit.halstead = Some(figures.halstead);
    }
    audit
}

fn is_whole(range: TextRange, error_offsets: &[TextSize]) -> bool {
    let first = error_offsets.partition_point(|offset| *offset < range.start());
    error_offsets.get(first).is_none_or(|offset| *offset > range.end())
}

fn function_audit(function: &FunctionFigures, lines: &LineStarts) -> FunctionAudit {
    FunctionAudit {
        qualname: function.qualname.clone(),
        name_start: function.name_start,
        kind: match function.kind {
            FunctionKind::Function => "function",
            FunctionKind::Method => "method",
            FunctionKind::Closure => "closure",
        },
        is_async: function.is_async,
        line: lines.line(function.name_range.start()),
        end_line: lines.line(function.range.end()),
        cyclomatic: function.cyclomatic,
        cyclomatic_mccabe: function.cyclomatic_mccabe,
        complexity_radon: function.complexity_radon,
    }
}

fn diagnosis(error: &ParseError, lines: &LineStarts) -> Diagnosis {
    let (line, column) = lines.line_column(error.range().start());
    Diagnosis { line, column, message: error.error.to_string() }
}
