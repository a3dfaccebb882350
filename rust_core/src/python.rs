//! The Python binding: releases the GIL, calls the core, turns its plain data into dicts.

mod dicts;
mod workspace;

use std::path::PathBuf;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::codehealth::{self, Cache, Root, Symbol};
use dicts::Dicts;

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
        Some(name) => Some(
            codehealth::language_named(name)
                .ok_or_else(|| PyValueError::new_err(format!("no audit for the language {name:?}")))?,
        ),
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
    Dicts::new(py)?.file(&audit, path.as_deref().map(|path| path.to_string_lossy()).as_deref())
}

/// Audit files in parallel; the answers stand in the order of the paths.
#[pyfunction]
#[pyo3(signature = (paths, *, root=None, threads=None, cache=None))]
fn audit_paths<'py>(
    py: Python<'py>,
    paths: Vec<PathBuf>,
    root: Option<PathBuf>,
    threads: Option<usize>,
    cache: Option<PathBuf>,
) -> PyResult<Bound<'py, PyList>> {
    let root = root.map_or(Ok(Root::Anywhere), |folder| Root::beneath(&folder))?;
    let audits = py
        .detach(|| -> std::io::Result<_> {
            let cache = cache.map(|folder| Cache::open(&folder)).transpose()?;
            Ok(codehealth::audit_paths(&paths, &root, threads, cache.as_ref()))
        })?
        .map_err(PyRuntimeError::new_err)?;
    Dicts::new(py)?.files(paths.iter().map(|path| path.to_string_lossy()).zip(&audits))
}

/// Tell a path's language by its ending.
#[pyfunction]
fn language_of(path: PathBuf) -> Option<&'static str> {
    codehealth::language_of(&path)
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

/// The module itself.
#[pymodule]
fn rust_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(audit_source, module)?)?;
    module.add_function(wrap_pyfunction!(audit_paths, module)?)?;
    module.add_function(wrap_pyfunction!(workspace::audit_workspace, module)?)?;
    module.add_function(wrap_pyfunction!(outline_source, module)?)?;
    module.add_function(wrap_pyfunction!(language_of, module)?)?;
    module.add_class::<crate::python_patterns::PyPatternSet>()?;
    Ok(())
}
