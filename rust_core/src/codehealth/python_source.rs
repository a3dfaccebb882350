//! The audit of one Python text: parse, walk, put together.

use std::borrow::Cow;

use ruff_python_ast::ModModule;
use ruff_python_parser::{ParseError, Parsed};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::lines::LineStarts;
use super::maintainability::maintainability_index;
use super::raw::{count_raw, count_raw_unparsed};
use super::recovery::hide_broken_part;
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
    match audited {
        Ok(Read { audit, first_error: Some(offset) }) => with_hidden_parts(text, audit, offset),
        Ok(Read { audit, first_error: None }) => audit,
        Err(problem) => {
            FileAudit { raw: count_raw_unparsed(text), errors: vec![problem], ..FileAudit::default() }
        }
    }
}

/// Nobody reads more, and a file of another language has one per token.
const MAX_DIAGNOSES: usize = 100;

/// A person types in one or two places; each attempt costs a parse.
const MAX_HIDDEN_PARTS: usize = 4;
const MAX_BYTES_TO_RECOVER: usize = 512 * 1024;

struct Read {
    audit: FileAudit,
    first_error: Option<usize>,
}

fn put_together(text: &str, parsed: &Parsed<ModModule>, figures: &Figures) -> Read {
    let lines = LineStarts::new(text);
    let raw = count_raw(text, parsed.tokens());
    let errors = parsed.errors();
    let mut audit = FileAudit {
        functions: whole_functions(figures, errors, &[], &lines),
        raw,
        errors: errors.iter().take(MAX_DIAGNOSES).map(|error| diagnosis(error, &lines)).collect(),
        ..FileAudit::default()
    };
    if errors.is_empty() {
        let index = maintainability_index(figures.halstead.report().volume, figures.complexity_radon, &raw);
        audit.maintainability_index = Some(index);
        audit.complexity_radon = Some(figures.complexity_radon);
        audit.halstead = Some(figures.halstead);
    }
    Read { audit, first_error: first_offset(errors) }
}

/// Look for functions that are whole when what is broken is hidden, and keep them when there are more.
fn with_hidden_parts(text: &str, mut audit: FileAudit, first_error: usize) -> FileAudit {
    let mut seen = Cow::Borrowed(text);
    let mut hidden_at = Vec::new();
    let mut next_error = (text.len() <= MAX_BYTES_TO_RECOVER).then_some(first_error);
    while let Some(error) = next_error.filter(|_| hidden_at.len() < MAX_HIDDEN_PARTS) {
        let Some((hidden, at)) = hide_broken_part(&seen, error) else { break };
        hidden_at.push(TextSize::new(at as u32));
        let read = with_tree(&hidden, |parsed| {
            let figures = walk(&hidden, parsed.suite());
            let lines = LineStarts::new(&hidden);
            let functions = whole_functions(&figures, parsed.errors(), &hidden_at, &lines);
            ((functions, first_offset(parsed.errors())), figures.depth)
        });
        let Ok((functions, first_error)) = read else { break };
        if functions.len() > audit.functions.len() {
            audit.functions = functions;
        }
        next_error = first_error;
        seen = Cow::Owned(hidden);
    }
    audit
}

fn first_offset(errors: &[ParseError]) -> Option<usize> {
    errors.iter().map(|error| error.location.start().to_usize()).min()
}

fn whole_functions(
    figures: &Figures,
    errors: &[ParseError],
    hidden_at: &[TextSize],
    lines: &LineStarts,
) -> Vec<FunctionAudit> {
    let mut broken_at: Vec<TextSize> = errors.iter().map(|error| error.location.start()).collect();
    broken_at.extend(hidden_at);
    broken_at.sort_unstable();
    let functions = figures.functions.iter().filter(|function| is_whole(function.range, &broken_at));
    functions.map(|function| function_audit(function, lines)).collect()
}

// An error right where the function begins is about what stands before it.
fn is_whole(range: TextRange, broken_at: &[TextSize]) -> bool {
    let first = broken_at.partition_point(|offset| *offset <= range.start());
    broken_at.get(first).is_none_or(|offset| *offset > range.end())
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
        cyclomatic_mccabe: Some(function.cyclomatic_mccabe),
        complexity_radon: Some(function.complexity_radon),
        cognitive: function.cognitive,
        nesting: function.nesting,
        parameters: function.parameters,
        fan_out: function.fan_out,
        halstead: Some(function.halstead),
    }
}

fn diagnosis(error: &ParseError, lines: &LineStarts) -> Diagnosis {
    let (line, column) = lines.line_column(error.range().start());
    Diagnosis { line, column, message: error.error.to_string() }
}
