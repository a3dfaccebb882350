//! The Python binding of the pattern set.

use std::path::PathBuf;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::codehealth::Root;
use crate::patterns::{CustomRule, Finding, Kind, PatternSet};

/// Rules compiled once; safe to share between threads.
#[pyclass(frozen, name = "PatternSet", module = "rust_core")]
pub struct PyPatternSet(PatternSet);

type Rule = (String, String, String, String, Vec<String>);

#[pymethods]
impl PyPatternSet {
    #[new]
    #[pyo3(signature = (rules=Vec::new()))]
    fn new(py: Python<'_>, rules: Vec<Rule>) -> PyResult<Self> {
        let custom = rules.into_iter().map(custom_rule).collect::<PyResult<Vec<_>>>()?;
        Ok(Self(py.detach(|| PatternSet::new(custom)).map_err(PyValueError::new_err)?))
    }

    /// Scan one source.
    #[pyo3(signature = (source, path=None))]
    fn scan<'py>(
        &self,
        py: Python<'py>,
        source: &Bound<'py, PyBytes>,
        path: Option<PathBuf>,
    ) -> PyResult<Bound<'py, PyList>> {
        let path = path.as_deref().map(|path| path.to_string_lossy());
        let bytes = source.as_bytes();
        finding_list(py, &py.detach(|| self.0.scan(bytes, path.as_deref())))
    }

    /// Scan files in parallel; the answers stand in the order of the paths.
    #[pyo3(signature = (paths, *, root=None, threads=None))]
    fn scan_paths<'py>(
        &self,
        py: Python<'py>,
        paths: Vec<PathBuf>,
        root: Option<PathBuf>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyList>> {
        let root = root.map_or(Ok(Root::Anywhere), |folder| Root::beneath(&folder))?;
        let found =
            py.detach(|| self.0.scan_paths(&paths, &root, threads)).map_err(PyRuntimeError::new_err)?;
        let list = PyList::empty(py);
        for findings in &found {
            list.append(findings.as_deref().map(|found| finding_list(py, found)).transpose()?)?;
        }
        Ok(list)
    }
}

fn custom_rule((id, kind, message, pattern, endings): Rule) -> PyResult<CustomRule> {
    let kind =
        Kind::of(&kind).ok_or_else(|| PyValueError::new_err(format!("rule {id}: no kind {kind:?}")))?;
    Ok(CustomRule { id, kind, message, pattern, endings })
}

fn finding_list<'py>(py: Python<'py>, findings: &[Finding<'_>]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for finding in findings {
        let dict = PyDict::new(py);
        dict.set_item(intern!(py, "rule"), finding.rule)?;
        dict.set_item(intern!(py, "kind"), finding.kind.name())?;
        dict.set_item(intern!(py, "message"), finding.message)?;
        dict.set_item(intern!(py, "line"), finding.line)?;
        dict.set_item(intern!(py, "column"), finding.column)?;
        dict.set_item(intern!(py, "start"), finding.start)?;
        dict.set_item(intern!(py, "end"), finding.end)?;
        list.append(dict)?;
    }
    Ok(list)
}
