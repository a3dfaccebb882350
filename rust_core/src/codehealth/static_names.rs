//! Names that live as long as the program (kinds, languages), read back from a cached audit.

use std::sync::Mutex;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// An alias, since serde would take a field written as a reference to borrow from what is read.
pub type StaticName = &'static str;

/// There are a dozen; a damaged cache must not make us keep any number of them.
const MAX_NAMES: usize = 256;
static NAMES: Mutex<Vec<StaticName>> = Mutex::new(Vec::new());

pub fn serialize<S: Serializer>(name: &StaticName, serializer: S) -> Result<S::Ok, S::Error> {
    name.serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StaticName, D::Error> {
    let name = <&str>::deserialize(deserializer)?;
    keep(name).ok_or_else(|| D::Error::custom("too many names"))
}

fn keep(name: &str) -> Option<StaticName> {
    // The usual ones need no lock.
    for usual in ["", "function", "method", "closure", "python"] {
        if name == usual {
            return Some(usual);
        }
    }
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| **known == name) {
        return Some(known);
    }
    (names.len() < MAX_NAMES).then(|| {
        let kept: StaticName = Box::leak(name.to_string().into_boxed_str());
        names.push(kept);
        kept
    })
}

/// The same for a name that may be absent.
pub mod optional {
    use super::*;

    pub fn serialize<S: Serializer>(name: &Option<StaticName>, serializer: S) -> Result<S::Ok, S::Error> {
        name.unwrap_or("").serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StaticName>, D::Error> {
        super::deserialize(deserializer).map(|name| (!name.is_empty()).then_some(name))
    }
}
