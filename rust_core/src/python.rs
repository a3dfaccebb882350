//! The Python binding: releases the GIL, calls the core, turns its plain data into dicts.

use std::path::PathBuf;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::codehealth::{self, FileAudit, FunctionAudit, HalsteadReport, RawCounts, Root, Symbol};
use crate::errors::Diagnosis;

/// Audit one source.
#[pyfunction]
#[pyo3(signature = (source, language=None, path=None))]
fn audit_source<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    language: Option<&str>,
    path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyDict>> {
    let language = match language {
        Some("python") => Some("python"),
        Some(other) => return Err(PyValueError::new_err(format!("no audit for the language {other:?}"))),
        None => path.as_deref().map_or(Some("python"), codehealth::language_of),
    };
    let audit = if let Ok(bytes) = source.cast::<PyBytes>() {
        let bytes = bytes.as_bytes();
        py.detach(|| codehealth::audit(bytes, language))
    } else if let Ok(text) = source.cast::<PyString>() {
        let text = text.to_string_lossy();
        py.detach(|| codehealth::audit_text(&text, language))
    } else {
        return Err(PyTypeError::new_err("source must be bytes or str"));
    };
    file_dict(py, &audit, path.as_deref().map(|path| path.to_string_lossy()).as_deref())
}

/// Audit files in parallel; the answers stand in the order of the paths.
#[pyfunction]
#[pyo3(signature = (paths, *, root=None, threads=None))]
fn audit_paths<'py>(
    py: Python<'py>,
    paths: Vec<PathBuf>,
    root: Option<PathBuf>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let root = root.map_or(Ok(Root::Anywhere), |folder| Root::beneath(&folder))?;
    let audits =
        py.detach(|| codehealth::audit_paths(&paths, &root, threads)).map_err(PyRuntimeError::new_err)?;
    let list = PyList::empty(py);
    for (path, audit) in paths.iter().zip(&audits) {
        list.append(file_dict(py, audit, Some(&path.to_string_lossy()))?)?;
    }
    Ok(list)
}

/// Outline one Python source.
#[pyfunction]
fn outline_source<'py>(py: Python<'py>, source: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyDict>> {
    let bytes = source.as_bytes();
    let outline = py.detach(|| codehealth::outline(bytes));
    let symbols = PyList::empty(py);
    for symbol in &outline.symbols {
        symbols.append(symbol_dict(py, symbol)?)?;
    }
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "is_parsed"), outline.is_parsed)?;
    dict.set_item(intern!(py, "symbols"), symbols)?;
    dict.set_item(intern!(py, "tests"), &outline.tests)?;
    dict.set_item(intern!(py, "asserts"), outline.asserts)?;
    Ok(dict)
}

fn symbol_dict<'py>(py: Python<'py>, symbol: &Symbol) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "qualname"), &symbol.qualname)?;
    dict.set_item(intern!(py, "kind"), symbol.kind.name())?;
    dict.set_item(intern!(py, "line"), symbol.line)?;
    dict.set_item(intern!(py, "is_public"), symbol.is_public)?;
    dict.set_item(intern!(py, "signature"), &symbol.signature)?;
    Ok(dict)
}

fn file_dict<'py>(py: Python<'py>, audit: &FileAudit, path: Option<&str>) -> PyResult<Bound<'py, PyDict>> {
    let functions = PyList::empty(py);
    for function in &audit.functions {
        functions.append(function_dict(py, function)?)?;
    }
    let errors = PyList::empty(py);
    for error in &audit.errors {
        errors.append(error_dict(py, error)?)?;
    }
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "path"), path)?;
    dict.set_item(intern!(py, "language"), audit.language)?;
    dict.set_item(intern!(py, "functions"), functions)?;
    dict.set_item(intern!(py, "maintainability_index"), audit.maintainability_index)?;
    dict.set_item(intern!(py, "complexity_radon"), audit.complexity_radon)?;
    dict.set_item(
        intern!(py, "halstead"),
        audit.halstead.map(|report| halstead_dict(py, &report)).transpose()?,
    )?;
    dict.set_item(intern!(py, "raw"), raw_dict(py, &audit.raw)?)?;
    dict.set_item(intern!(py, "errors"), errors)?;
    Ok(dict)
}

fn function_dict<'py>(py: Python<'py>, function: &FunctionAudit) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "name"), function.name())?;
    dict.set_item(intern!(py, "qualname"), &function.qualname)?;
    dict.set_item(intern!(py, "kind"), PyString::intern(py, function.kind))?;
    dict.set_item(intern!(py, "is_async"), function.is_async)?;
    dict.set_item(intern!(py, "line"), function.line)?;
    dict.set_item(intern!(py, "end_line"), function.end_line)?;
    dict.set_item(intern!(py, "cyclomatic"), function.cyclomatic)?;
    dict.set_item(intern!(py, "cyclomatic_mccabe"), function.cyclomatic_mccabe)?;
    dict.set_item(intern!(py, "complexity_radon"), function.complexity_radon)?;
    Ok(dict)
}

fn halstead_dict<'py>(py: Python<'py>, report: &HalsteadReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "h1"), report.h1)?;
    dict.set_item(intern!(py, "h2"), report.h2)?;
    dict.set_item(intern!(py, "N1"), report.n1)?;
    dict.set_item(intern!(py, "N2"), report.n2)?;
    dict.set_item(intern!(py, "vocabulary"), report.vocabulary)?;
    dict.set_item(intern!(py, "length"), report.length)?;
    dict.set_item(intern!(py, "calculated_length"), report.calculated_length)?;
    dict.set_item(intern!(py, "volume"), report.volume)?;
    dict.set_item(intern!(py, "difficulty"), report.difficulty)?;
    dict.set_item(intern!(py, "effort"), report.effort)?;
    dict.set_item(intern!(py, "time"), report.time)?;
    dict.set_item(intern!(py, "bugs"), report.bugs)?;
    Ok(dict)
}

fn raw_dict<'py>(py: Python<'py>, raw: &RawCounts) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "loc"), raw.loc)?;
    dict.set_item(intern!(py, "lloc"), raw.lloc)?;
    dict.set_item(intern!(py, "sloc"), raw.sloc)?;
    dict.set_item(intern!(py, "comments"), raw.comments)?;
    dict.set_item(intern!(py, "multi"), raw.multi)?;
    dict.set_item(intern!(py, "blank"), raw.blank)?;
    dict.set_item(intern!(py, "single_comments"), raw.single_comments)?;
    Ok(dict)
}

fn error_dict<'py>(py: Python<'py>, error: &Diagnosis) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "line"), error.line)?;
    dict.set_item(intern!(py, "column"), error.column)?;
    dict.set_item(intern!(py, "message"), &error.message)?;
    Ok(dict)
}

/// The module itself.
#[pymodule]
fn rust_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(audit_source, module)?)?;
    module.add_function(wrap_pyfunction!(audit_paths, module)?)?;
    module.add_function(wrap_pyfunction!(outline_source, module)?)?;
    Ok(())
}
