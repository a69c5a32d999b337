//! What requests of all protocols have in common: names of keys, bytes of values, lines.

use crate::op::Store;
use crate::value::{Value, Values, payload};

/// What all requests of a world need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) values: Values,
    /// Keys for text; those for numbers are behind them.
    pub(crate) texts: usize,
    pub(crate) unix_origin: i64,
}

impl Wire {
    pub(crate) fn is_number(&self, key: usize) -> bool {
        key >= self.texts
    }

    pub(crate) fn name(&self, key: usize) -> String {
        let kind = if self.is_number(key) {
            "counter"
        } else {
            "key"
        };
        format!("{kind}-{key}")
    }

    pub(crate) fn read(&self, key: usize, bytes: &[u8]) -> Value {
        Value::read(bytes, self.is_number(key), self.values)
    }
}

/// The bytes that a store has for its write of this number.
pub(crate) fn value(store: &Store, number: usize, values: Values) -> String {
    match store.number {
        Some(number) => number.to_string(),
        None => payload(number, values),
    }
}

/// The first line; `None` if its end has not come.
pub(crate) fn line(bytes: &[u8]) -> Option<&str> {
    let end = bytes.windows(2).position(|end| end == b"\r\n")?;
    Some(std::str::from_utf8(&bytes[..end]).expect("all is text"))
}
