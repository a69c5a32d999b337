//! `stats latency`, our own: how long commands took, by kind and by stage.

use crate::latency::{Durations, Kind, Stage};
use crate::operation::Pairs;
use crate::shared::Shared;

/// The percentiles that are shown.
const PERCENTILES: [(&str, f64); 4] = [
    ("p50_us", 0.5),
    ("p90_us", 0.9),
    ("p99_us", 0.99),
    ("p999_us", 0.999),
];

/// The whole reply: kinds of which commands have been executed.
pub(crate) fn render(shared: &Shared) -> Pairs {
    let mut pairs = Pairs::default();
    if !shared.latency.is_on() {
        pairs.text("latency_status", "disabled");
        return pairs;
    }
    for kind in Kind::ALL {
        let total = shared.latency.durations(kind, Stage::Total);
        let Some(longest) = total.longest_ns() else {
            continue;
        };
        let kind_name = kind.name();
        pairs.number(&format!("{kind_name}:count"), total.count());
        percentiles(&mut pairs, &format!("{kind_name}:"), &total);
        pairs.text(&format!("{kind_name}:max_us"), microseconds(longest));
        for stage in Stage::ALL
            .into_iter()
            .filter(|&stage| stage != Stage::Total)
        {
            let durations = shared.latency.durations(kind, stage);
            let name = stage.name();
            percentiles(&mut pairs, &format!("{kind_name}:{name}_"), &durations);
        }
    }
    pairs
}

fn percentiles(pairs: &mut Pairs, prefix: &str, durations: &Durations) {
    for (name, part) in PERCENTILES {
        if let Some(ns) = durations.percentile_ns(part) {
            pairs.text(&format!("{prefix}{name}"), microseconds(ns));
        }
    }
}

fn microseconds(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1000.0)
}
