//! PyAgent's computing core. A metric is a plain Rust function; `python` wraps what Python may call.

pub mod codehealth;
pub mod errors;
pub mod patterns;

#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod python_patterns;
