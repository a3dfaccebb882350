//! Audits as dicts. A library has 70,000 functions, so what this costs shows: a dict begins as a copy of one that holds the
//! most frequent values, and only what differs is set.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::codehealth::{FileAudit, FunctionAudit, HalsteadCounts};
use crate::errors::Diagnosis;

/// Makes dicts; holds those they begin as.
pub struct Dicts<'py> {
    py: Python<'py>,
    function: Bound<'py, PyDict>,
    /// All zeros; functions without any operator, which are half of all, share this one.
    halstead: Bound<'py, PyDict>,
}

const FUNCTION_KEYS: [&str; 15] = [
    "name",
    "qualname",
    "kind",
    "is_async",
    "line",
    "end_line",
    "cyclomatic",
    "cyclomatic_mccabe",
    "complexity_radon",
    "cognitive",
    "nesting",
    "parameters",
    "fan_out",
    "lines",
    "halstead",
];

impl<'py> Dicts<'py> {
    pub fn new(py: Python<'py>) -> PyResult<Self> {
        let function = PyDict::new(py);
        for key in FUNCTION_KEYS {
            function.set_item(PyString::intern(py, key), py.None())?;
        }
        function.set_item(intern!(py, "is_async"), false)?;
        for key in ["cyclomatic", "cyclomatic_mccabe", "complexity_radon"] {
            function.set_item(key, 1)?;
        }
        for key in ["cognitive", "nesting", "fan_out"] {
            function.set_item(key, 0)?;
        }
        let halstead = PyDict::new(py);
        for key in ["h1", "h2", "N1", "N2", "vocabulary", "length"] {
            halstead.set_item(PyString::intern(py, key), 0)?;
        }
        for key in ["calculated_length", "volume", "difficulty", "effort", "time", "bugs"] {
            halstead.set_item(PyString::intern(py, key), 0.0)?;
        }
        Ok(Self { py, function, halstead })
    }

    /// A list of what `file` gives.
    pub fn files<'a>(
        &self,
        audits: impl Iterator<Item = (impl AsRef<str>, &'a FileAudit)>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.list(audits.map(|(path, audit)| self.file(audit, Some(path.as_ref()))))
    }

    /// A list of many dicts. Python's collector would look through it again and again as it grows, and find nothing.
    pub fn list(
        &self,
        mut dicts: impl Iterator<Item = PyResult<Bound<'py, PyDict>>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let collector = self.py.import("gc")?;
        let was_enabled: bool = collector.call_method0("isenabled")?.extract()?;
        collector.call_method0("disable")?;
        let list = PyList::empty(self.py);
        let filled = dicts.try_for_each(|dict| list.append(dict?));
        if was_enabled {
            collector.call_method0("enable")?;
        }
        filled.map(|()| list)
    }

    pub fn file(&self, audit: &FileAudit, path: Option<&str>) -> PyResult<Bound<'py, PyDict>> {
        let py = self.py;
        let functions = PyList::empty(py);
        for function in &audit.functions {
            functions.append(self.function(function)?)?;
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
        let halstead = audit.halstead.map(|counts| self.halstead(counts)).transpose()?;
        dict.set_item(intern!(py, "halstead"), halstead)?;
        dict.set_item(intern!(py, "raw"), raw_dict(py, audit)?)?;
        dict.set_item(intern!(py, "errors"), errors)?;
        Ok(dict)
    }

    fn function(&self, function: &FunctionAudit) -> PyResult<Bound<'py, PyDict>> {
        let py = self.py;
        let dict = self.function.copy()?;
        let qualname = PyString::new(py, &function.qualname);
        if function.name_start == 0 {
            dict.set_item(intern!(py, "name"), &qualname)?;
        } else {
            dict.set_item(intern!(py, "name"), function.name())?;
        }
        dict.set_item(intern!(py, "qualname"), qualname)?;
        let kind = match function.kind {
            "function" => intern!(py, "function"),
            "method" => intern!(py, "method"),
            other => &PyString::intern(py, other),
        };
        dict.set_item(intern!(py, "kind"), kind)?;
        if function.is_async {
            dict.set_item(intern!(py, "is_async"), true)?;
        }
        dict.set_item(intern!(py, "line"), function.line)?;
        dict.set_item(intern!(py, "end_line"), function.end_line)?;
        for (key, value, usual) in [
            (intern!(py, "cyclomatic"), function.cyclomatic, 1),
            (intern!(py, "cognitive"), function.cognitive, 0),
            (intern!(py, "nesting"), function.nesting, 0),
            (intern!(py, "fan_out"), function.fan_out, 0),
        ] {
            if value != usual {
                dict.set_item(key, value)?;
            }
        }
        for (key, value) in [
            (intern!(py, "cyclomatic_mccabe"), function.cyclomatic_mccabe),
            (intern!(py, "complexity_radon"), function.complexity_radon),
        ] {
            if value != Some(1) {
                dict.set_item(key, value)?;
            }
        }
        dict.set_item(intern!(py, "parameters"), function.parameters)?;
        dict.set_item(intern!(py, "lines"), function.lines())?;
        if let Some(counts) = function.halstead {
            dict.set_item(intern!(py, "halstead"), self.halstead(counts)?)?;
        }
        Ok(dict)
    }

    fn halstead(&self, counts: HalsteadCounts) -> PyResult<Bound<'py, PyDict>> {
        let py = self.py;
        if counts == HalsteadCounts::default() {
            return Ok(self.halstead.clone());
        }
        let dict = self.halstead.copy()?;
        let report = counts.report();
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
}

fn raw_dict<'py>(py: Python<'py>, audit: &FileAudit) -> PyResult<Bound<'py, PyDict>> {
    let raw = &audit.raw;
    // What a logical line is, radon defines for Python alone.
    let lloc = (audit.language == Some("python")).then_some(raw.lloc);
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "loc"), raw.loc)?;
    dict.set_item(intern!(py, "lloc"), lloc)?;
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
