//! JSON, as much as the page needs. Values are written one after the other; commas come by themselves.
//!
//! A library would do the same; the usual one adds comparisons with its own values to every number, which makes tests
//! of the server ambiguous.

use std::fmt::Write;

/// JSON in the making.
#[derive(Debug, Default)]
pub(super) struct Json(String);

impl Json {
    /// The text, once everything that was opened is closed.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// An object or an array, with what `fill` writes in it.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.enclosed('{', '}', fill);
    }

    pub(super) fn array(&mut self, fill: impl FnOnce(&mut Json)) {
        self.enclosed('[', ']', fill);
    }

    fn enclosed(&mut self, open: char, close: char, fill: impl FnOnce(&mut Json)) {
        self.comma();
        self.0.push(open);
        fill(self);
        self.0.push(close);
    }

    /// The name of the value that is written next.
    pub(super) fn name(&mut self, name: &str) -> &mut Json {
        self.text(name);
        self.0.push(':');
        self
    }

    pub(super) fn text(&mut self, text: &str) {
        self.comma();
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                control if control.is_control() => {
                    // Writing to a string does not fail.
                    let _ = write!(self.0, "\\u{:04x}", u32::from(control));
                }
                plain => self.0.push(plain),
            }
        }
        self.0.push('"');
    }

    /// A number, or null for what is not known.
    pub(super) fn number(&mut self, number: Option<f64>) {
        self.comma();
        match number.filter(|it| it.is_finite()) {
            Some(number) => {
                let _ = write!(self.0, "{number}");
            }
            None => self.0.push_str("null"),
        }
    }

    pub(super) fn whole(&mut self, number: u64) {
        self.comma();
        let _ = write!(self.0, "{number}");
    }

    /// Separates a value from the one before it.
    fn comma(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with(['{', '[', ':']) {
            self.0.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_is_what_a_reader_finds() {
        let mut json = Json::default();
        json.object(|json| {
            json.name("a").number(Some(0.25));
            json.name("b").array(|json| {
                json.whole(u64::MAX);
                json.number(None);
                json.number(Some(f64::NAN));
                json.text("ends with [");
                json.text("\"\\\u{7}\u{9b}ä</script>");
            });
            json.name("c").object(|_| {});
            json.name("large").number(Some(1e15));
        });
        let read: Value = serde_json::from_str(&json.into_text()).unwrap();
        let text = "\"\\\u{7}\u{9b}ä</script>";
        let list = json!([u64::MAX, null, null, "ends with [", text]);
        assert_eq!(
            read,
            json!({"a": 0.25, "b": list, "c": {}, "large": 1_000_000_000_000_000_u64})
        );
    }
}
