//! The audit of a tree, which tells how far it is and can be cancelled.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use blake3::Hash;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::dicts::Dicts;
use crate::codehealth::{self, Cache, Key, Options, Progress, Root, WorkspaceAudit};

/// How often Python is asked whether to go on, and told how far we are.
const TICK: Duration = Duration::from_millis(100);

/// Audit a tree.
#[pyfunction]
#[pyo3(signature = (root, *, threads=None, cache=None, known=None, progress=None, cancel=None))]
pub fn audit_workspace<'py>(
    py: Python<'py>,
    root: PathBuf,
    threads: Option<usize>,
    cache: Option<PathBuf>,
    known: Option<HashMap<PathBuf, String>>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let root = Root::beneath(&root)?;
    let cache = cache.map(|folder| Cache::open(&folder)).transpose()?;
    let known = known.unwrap_or_default().into_iter();
    let known = known.map(|(path, key)| Ok((path, key_of_hex(&key)?))).collect::<PyResult<_>>()?;
    let options = Options { threads, cache: cache.as_ref(), known };
    let state = Progress::default();
    let callbacks = Callbacks { progress, cancel };
    let found = thread::scope(|scope| {
        let (sender, receiver) = channel();
        let (root, options, state) = (&root, &options, &state);
        scope.spawn(move || {
            let audit = || codehealth::audit_workspace(root, options, state);
            let found = catch_unwind(AssertUnwindSafe(audit));
            sender.send(found.unwrap_or_else(|_| Err("the audit broke down".to_string())))
        });
        // A receiver alone may not be used from where Python's lock is released.
        callbacks.wait(py, &Mutex::new(receiver), state)
    })?;
    workspace_dict(py, &found)
}

struct Callbacks<'py> {
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
}

impl Callbacks<'_> {
    /// Wait for the audit. When a callback raises, or Python was interrupted, the audit is ended first.
    fn wait(
        &self,
        py: Python<'_>,
        audit: &Mutex<Receiver<Result<WorkspaceAudit, String>>>,
        state: &Progress,
    ) -> PyResult<WorkspaceAudit> {
        let mut failure = None;
        loop {
            match py.detach(|| audit.lock().expect("one thread locks it").recv_timeout(TICK)) {
                Err(RecvTimeoutError::Timeout) => {
                    if failure.is_none()
                        && let Err(error) = self.tick(py, state)
                    {
                        state.cancel();
                        failure = Some(error);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err(
                        "the audit broke down; please report it as a defect",
                    ));
                }
                Ok(found) => {
                    let found = found.map_err(PyRuntimeError::new_err)?;
                    if let Some(error) = failure {
                        return Err(error);
                    }
                    self.tell(state)?;
                    return Ok(found);
                }
            }
        }
    }

    fn tick(&self, py: Python<'_>, state: &Progress) -> PyResult<()> {
        py.check_signals()?;
        if let Some(cancel) = &self.cancel
            && cancel.call0()?.is_truthy()?
        {
            state.cancel();
        }
        self.tell(state)
    }

    fn tell(&self, state: &Progress) -> PyResult<()> {
        self.progress.as_ref().map_or(Ok(()), |progress| progress.call1(state.counts()).map(drop))
    }
}

fn workspace_dict<'py>(py: Python<'py>, found: &WorkspaceAudit) -> PyResult<Bound<'py, PyDict>> {
    let dicts = Dicts::new(py)?;
    let files = dicts.list(found.files.iter().map(|file| {
        let dict = dicts.file(&file.audit, Some(&file.path.to_string_lossy()))?;
        dict.set_item(intern!(py, "key"), Hash::from_bytes(file.key).to_hex().as_str())?;
        Ok(dict)
    }))?;
    let skipped = PyList::empty(py);
    for file in &found.skipped {
        let dict = PyDict::new(py);
        dict.set_item(intern!(py, "path"), file.path.to_string_lossy())?;
        dict.set_item(intern!(py, "reason"), &file.reason)?;
        skipped.append(dict)?;
    }
    let unchanged: Vec<_> = found.unchanged.iter().map(|path| path.to_string_lossy()).collect();
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "files"), files)?;
    dict.set_item(intern!(py, "unchanged"), unchanged)?;
    dict.set_item(intern!(py, "skipped"), skipped)?;
    dict.set_item(intern!(py, "from_cache"), found.from_cache)?;
    dict.set_item(intern!(py, "is_truncated"), found.is_truncated)?;
    dict.set_item(intern!(py, "is_cancelled"), found.is_cancelled)?;
    Ok(dict)
}

fn key_of_hex(hex: &str) -> PyResult<Key> {
    Hash::from_hex(hex).map(Key::from).map_err(|error| PyValueError::new_err(error.to_string()))
}
