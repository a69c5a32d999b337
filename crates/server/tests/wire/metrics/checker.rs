//! A small, strict reader of OpenMetrics 1.0, for the tests of the page and of the port: it takes nothing that the
//! standard does not allow, and of what it allows only what the server writes.

use std::collections::{BTreeMap, BTreeSet};

/// A line with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// What a text says.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The families with their types, in order.
    pub(crate) families: Vec<(String, String)>,
    pub(crate) samples: Vec<Sample>,
}

impl Told {
    /// The value of the sample with this name and these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |sample: &&Sample| {
            let own = sample
                .labels
                .iter()
                .map(|(name, value)| (&**name, &**value));
            let asked: BTreeSet<_> = labels.iter().copied().collect();
            sample.name == name && own.collect::<BTreeSet<_>>() == asked
        };
        self.samples.iter().find(is_it).map(|sample| sample.value)
    }
}

/// Reads a whole text.
///
/// # Panics
/// If a line is not as it must be.
pub(crate) fn check(text: &str) -> Told {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    assert!(body.ends_with('\n'), "the line before # EOF is cut");
    let mut told = Told::default();
    let mut seen = BTreeSet::new();
    let mut lines = body.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, about) = help
            .strip_prefix("# HELP ")
            .unwrap()
            .split_once(' ')
            .unwrap();
        assert!(
            about.ends_with('.') && !about.contains(['\\', '"']),
            "{help}"
        );
        assert!(is_name(name), "{help}");
        let kind = lines.next().unwrap();
        let kind = kind
            .strip_prefix(&format!("# TYPE {name} "))
            .unwrap_or_else(|| panic!("{kind}"));
        assert!(
            ["counter", "gauge", "unknown", "histogram"].contains(&kind),
            "{name} {kind}"
        );
        assert!(!name.ends_with("_total") || kind == "unknown", "{name}");
        assert!(seen.insert(name.to_owned()), "{name} comes twice");
        let before = told.samples.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let sample = sample(line);
            assert!(
                belongs(&sample.name, name, kind),
                "{line} in {name} ({kind})"
            );
            assert!(kind == "gauge" || sample.value >= 0.0, "{line}");
            let is_new = !told
                .samples
                .iter()
                .any(|it| (&it.name, &it.labels) == (&sample.name, &sample.labels));
            assert!(is_new, "{line} comes twice");
            told.samples.push(sample);
        }
        let samples = &told.samples[before..];
        assert!(!samples.is_empty(), "{name} has no samples");
        if kind == "histogram" {
            check_histograms(name, samples);
        }
        told.families.push((name.to_owned(), kind.to_owned()));
    }
    told
}

/// Checks that counts of buckets go up with their bounds, which come in order, and end with the number of all.
fn check_histograms(name: &str, samples: &[Sample]) {
    let bucket = format!("{name}_bucket");
    let mut last: Option<(f64, f64)> = None;
    for sample in samples {
        if sample.name == bucket {
            let bound = match &*sample.labels["le"] {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().unwrap(),
            };
            let (below, count) = last.unwrap_or((0.0, 0.0));
            assert!(bound > below && sample.value >= count, "{sample:?}");
            last = Some((bound, sample.value));
        } else if sample.name.ends_with("_count") {
            let all = last.take();
            assert_eq!(all, Some((f64::INFINITY, sample.value)), "{sample:?}");
        }
    }
    assert_eq!(last, None, "{name} has buckets without a count");
}

/// Whether a sample of this name is one of the family.
fn belongs(sample: &str, family: &str, kind: &str) -> bool {
    let end = sample.strip_prefix(family);
    match kind {
        "counter" => end == Some("_total"),
        "histogram" => matches!(end, Some("_bucket" | "_count" | "_sum")),
        _ => end == Some(""),
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    name.as_bytes().first().is_some_and(is_letter)
        && name
            .bytes()
            .all(|byte| is_letter(&byte) || byte.is_ascii_digit())
}

/// A line `name{label="value",...} value`.
fn sample(line: &str) -> Sample {
    let (metric, value) = line.rsplit_once(' ').unwrap();
    assert!(value.starts_with(|it: char| it.is_ascii_digit()), "{line}");
    let (name, labels) = match metric.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
        None => (metric, ""),
    };
    assert!(is_name(name), "{line}");
    let mut read = BTreeMap::new();
    for label in labels.split(',').filter(|it| !it.is_empty()) {
        let (name, value) = label.split_once("=\"").unwrap();
        let value = value.strip_suffix('"').unwrap();
        assert!(
            is_name(name) && !value.contains(['"', '\\', '{', '}']),
            "{line}"
        );
        let is_new = read.insert(name.to_owned(), value.to_owned()).is_none();
        assert!(is_new, "{line}");
    }
    Sample {
        name: name.to_owned(),
        labels: read,
        value: value.parse().unwrap(),
    }
}
