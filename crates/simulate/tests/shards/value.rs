//! Values that say which writes have made them.
//!
//! ```text
//! set 12, append 30, prepend 7       7-7-7- 12-12-12-12- 30-30-          (without the spaces)
//! ```

use std::rc::Rc;

/// Whether some values of a world are so large that they are sent from slab memory, and of these some received into the
/// memory of their shard. They take many steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Small,
    SomeLarge,
}

/// A value as the model knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    /// The bytes of these writes, one behind the other.
    Text(Rc<[u32]>),
    Number(u64),
}

impl Value {
    pub(crate) fn empty() -> Value {
        Value::Text(Rc::new([]))
    }

    pub(crate) fn of_write(write: usize) -> Value {
        Value::Text(Rc::new([write as u32]))
    }

    /// Length, unless it is a number, which may have spaces behind it.
    pub(crate) fn len(&self, values: Values) -> Option<usize> {
        match self {
            Value::Text(writes) => {
                let lengths = writes.iter().map(|&write| payload(write as usize, values));
                Some(lengths.map(|payload| payload.len()).sum())
            }
            Value::Number(_) => None,
        }
    }

    /// Reads the value of a key for text, or for numbers.
    ///
    /// # Panics
    ///
    /// If it is not made of whole writes.
    pub(crate) fn read(bytes: &[u8], is_number: bool, values: Values) -> Value {
        let text = std::str::from_utf8(bytes).expect("all is text");
        if is_number && !text.is_empty() {
            assert!(text.len() <= 20, "{text:?}");
            let number = text.trim_end_matches(' ').parse();
            return Value::Number(number.unwrap_or_else(|_| panic!("no number: {text:?}")));
        }
        let (mut writes, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let number = rest
                .split('-')
                .next()
                .and_then(|number| number.parse().ok());
            let write: u32 = number.unwrap_or_else(|| panic!("no value: {rest:?} of {text:?}"));
            rest = (rest.strip_prefix(&payload(write as usize, values)))
                .unwrap_or_else(|| panic!("a part of write {write}, and another: {text:?}"));
            writes.push(write);
        }
        Value::Text(writes.into())
    }
}

/// The bytes of a write: its number, again and again.
pub(crate) fn payload(write: usize, values: Values) -> String {
    let len = match write % 128 {
        40 | 80 if values == Values::SomeLarge => 20_000,
        120 if values == Values::SomeLarge => 150_000,
        _ => [5, 40, 300, 2000][write % 4] + write % 17,
    };
    let text = format!("{write}-");
    text.repeat(len / text.len() + 1)
}
