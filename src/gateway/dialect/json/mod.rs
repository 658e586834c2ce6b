//! JSON as the assignments' programs write and read it: objects one after another in a stream, split over
//! reads at any byte; ASCII and Python's spacing on the way out.

mod reader;
mod scanner;
#[cfg(test)]
mod tests;
mod writer;

use serde_json::{Map, Value};

pub(super) use reader::{Object, ObjectReader, parse};
pub(super) use writer::{Field, object, quoted};

/// Bytes of the longest object.
pub(super) const MAX_OBJECT_BYTES: usize = 64 * 1024;

/// Objects and arrays inside each other, the outermost counted.
pub(super) const MAX_DEPTH: usize = 16;

/// Bad objects or lines in a row after which a connection is closed.
pub(super) const MAX_BAD_IN_A_ROW: u32 = 20;

/// The keys and values of one object.
pub(super) type Fields = Map<String, Value>;

/// Which rule of JSON was broken, in words for whoever wrote the program that broke it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadJson {
    /// Something else than a `{` where an object begins.
    #[error("an object begins with {{, not with {0:?}")]
    Outside(char),
    /// A character that cannot stand where it stands.
    #[error("{expected}, not {found:?}{hint}")]
    Misplaced {
        /// What may stand there.
        expected: &'static str,
        /// What stood there.
        found: char,
        /// What is often meant.
        hint: &'static str,
    },
    /// More than [`MAX_OBJECT_BYTES`].
    #[error("an object has at most {MAX_OBJECT_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_DEPTH`].
    #[error("objects and lists may lie {MAX_DEPTH} deep at most")]
    TooDeep,
    /// The input ended within an object.
    #[error("the object is not complete")]
    Incomplete,
    /// Well nested, but a number, word or escape is none.
    #[error("{0}")]
    Invalid(String),
}
