//! `stats mrc`, our own: the miss ratio that less or more memory would bring.

use crate::operation::Pairs;
use crate::shared::Shared;

/// The whole reply.
pub(crate) fn render(shared: &Shared) -> Pairs {
    let mut pairs = Pairs::default();
    let Some(curve) = shared.insight.curve() else {
        pairs.text("mrc_status", "disabled");
        return pairs;
    };
    pairs.number("gets", curve.gets);
    pairs.number("sampled_gets", curve.samples);
    pairs.number("sampled_keys", curve.keys as u64);
    pairs.text("sampled_percent", format!("{:.4}", 100.0 * curve.sampled));
    let measured = curve.measured.unwrap_or(0.0);
    pairs.text("miss_percent_measured", percent(measured));
    pairs.text("miss_percent_modelled", percent(curve.modelled));
    for point in &curve.points {
        let name = |what: &str| format!("{:.1}:{what}", point.factor);
        pairs.number(&name("bytes"), point.limit_bytes);
        pairs.text(&name("miss_percent"), percent(point.miss_ratio));
        pairs.text(&name("error_percent"), percent(point.error));
    }
    pairs
}

fn percent(part: f64) -> String {
    format!("{:.2}", 100.0 * part)
}
