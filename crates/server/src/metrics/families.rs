//! Families of metrics as text, in either of the two formats that Prometheus reads.
//!
//! ```text
//!                OpenMetrics 1.0                            Prometheus' text 0.0.4
//!   counter      # TYPE memcached_read_bytes counter        # TYPE memcached_read_bytes_total counter
//!                memcached_read_bytes_total 5               memcached_read_bytes_total 5
//!   end          # EOF
//! ```
//!
//! The samples of a family have to stand together, and come in any order: each family has a text of its own until the
//! end.

use std::collections::HashMap;
use std::fmt::{Display, Write};

/// The kind of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A count of events; its name ends with `_total`.
    Counter,
    /// A present amount.
    Gauge,
    /// Counts of durations up to some bounds, their number and their sum.
    Histogram,
    /// A count whose name was given by somebody else, and does not end with `_total`.
    Unknown,
}

/// A family, by the name of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// The name.
    pub(super) name: &'static str,
    /// The kind.
    pub(super) kind: Kind,
    /// What it is; without quotes, backslashes and line ends.
    pub(super) help: &'static str,
}

/// A label of a sample. The value has no quotes, backslashes and line ends.
pub(super) type Label<'a> = (&'static str, &'a dyn Display);

/// One of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which everything reads.
    Plain,
}

impl Format {
    /// The format for a client that accepts these media types, the values of its `Accept` headers.
    pub(super) fn wanted<'a>(mut accepted: impl Iterator<Item = &'a str>) -> Format {
        match accepted.any(|list| list.split(',').any(is_open_metrics)) {
            true => Format::OpenMetrics,
            false => Format::Plain,
        }
    }

    /// The media type, as `Content-Type` names it.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Whether a media range with its parameters means the OpenMetrics that is spoken here.
fn is_open_metrics(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let is_named = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
    is_named
        && parts.all(|parameter| match parameter.split_once('=') {
            Some(("version", version)) => version.trim_matches('"') == "1.0.0",
            Some(("q", weight)) => weight.parse::<f64>().is_ok_and(|weight| weight > 0.0),
            _ => true,
        })
}

/// Families in the making, in the order in which their first samples came.
#[derive(Debug, Default)]
pub(super) struct Families {
    list: Vec<(Family, String)>,
    by_name: HashMap<&'static str, usize>,
}

impl Families {
    /// Adds a sample to a family.
    pub(super) fn add(&mut self, family: &Family, labels: &[Label<'_>], value: impl Display) {
        self.add_suffixed(family, "", labels, value);
    }

    /// Adds a sample whose name is that of the family with `suffix` behind it.
    pub(super) fn add_suffixed(
        &mut self,
        family: &Family,
        suffix: &str,
        labels: &[Label<'_>],
        value: impl Display,
    ) {
        let at = *self.by_name.entry(family.name).or_insert_with(|| {
            self.list.push((*family, String::new()));
            self.list.len() - 1
        });
        let text = &mut self.list[at].1;
        text.push_str(family.name);
        text.push_str(suffix);
        // Writing to a string does not fail.
        for (number, (name, value)) in labels.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            let _ = write!(text, "{before}{name}=\"{value}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(text, "{end} {value}");
    }

    /// Everything as text.
    pub(super) fn into_text(self, format: Format) -> String {
        let mut text = String::new();
        for (family, samples) in &self.list {
            let Family { name, kind, help } = family;
            let (name, kind) = match (kind, format) {
                (Kind::Counter, Format::OpenMetrics) => {
                    (name.strip_suffix("_total").unwrap_or(name), "counter")
                }
                (Kind::Counter, Format::Plain) => (*name, "counter"),
                (Kind::Gauge, _) => (*name, "gauge"),
                (Kind::Histogram, _) => (*name, "histogram"),
                (Kind::Unknown, Format::OpenMetrics) => (*name, "unknown"),
                (Kind::Unknown, Format::Plain) => (*name, "untyped"),
            };
            let _ = write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}"
            );
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_family_stand_together() {
        let bytes = Family {
            name: "a_bytes_total",
            kind: Kind::Counter,
            help: "Bytes.",
        };
        let age = Family {
            name: "b_seconds",
            kind: Kind::Gauge,
            help: "Age.",
        };
        let mut families = Families::default();
        families.add(&bytes, &[("shard", &0)], 5);
        families.add(&age, &[], "0.5");
        families.add(&bytes, &[("shard", &1), ("way", &"in")], 6);
        assert_eq!(
            families.into_text(Format::OpenMetrics),
            "# HELP a_bytes Bytes.\n# TYPE a_bytes counter\na_bytes_total{shard=\"0\"} 5\n\
             a_bytes_total{shard=\"1\",way=\"in\"} 6\n\
             # HELP b_seconds Age.\n# TYPE b_seconds gauge\nb_seconds 0.5\n# EOF\n"
        );
        let mut families = Families::default();
        families.add(&bytes, &[], 5);
        assert_eq!(
            families.into_text(Format::Plain),
            "# HELP a_bytes_total Bytes.\n# TYPE a_bytes_total counter\na_bytes_total 5\n"
        );
    }

    #[test]
    fn the_format_is_one_that_the_client_accepts() {
        // What Prometheus 2.42 sends.
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accepted, format) in [
            (&[prometheus][..], Format::OpenMetrics),
            (
                &["text/html", "Application/OpenMetrics-Text"],
                Format::OpenMetrics,
            ),
            (
                &["application/openmetrics-text; version=\"1.0.0\"; charset=utf-8"],
                Format::OpenMetrics,
            ),
            (
                &["application/openmetrics-text;version=0.0.1"],
                Format::Plain,
            ),
            (&["application/openmetrics-text;q=0"], Format::Plain),
            (&["application/openmetrics-text;q=x"], Format::Plain),
            (&["text/plain;version=0.0.4", "*/*"], Format::Plain),
            (&[], Format::Plain),
            (&["", ",;,=;"], Format::Plain),
        ] {
            assert_eq!(
                Format::wanted(accepted.iter().copied()),
                format,
                "{accepted:?}"
            );
        }
    }
}
