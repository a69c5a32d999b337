//! Where a latency-throughput curve bends, and where it crosses a limit.

/// The rate at which the curve bends most: the point farthest below the chord from the first point to the last, with
/// latency on a logarithmic scale (the "kneedle" idea: Satopaa et al., 2011). Nothing if the curve hardly bends.
///
/// `points` are rates and latencies by rising rate.
#[must_use]
pub fn knee(points: &[(f64, f64)]) -> Option<f64> {
    let usable: Vec<(f64, f64)> = points
        .iter()
        .filter(|(rate, latency)| *rate > 0.0 && *latency > 0.0)
        .map(|(rate, latency)| (*rate, latency.ln()))
        .collect();
    let (first, last) = (usable.first()?, usable.last()?);
    let (span_rate, span_latency) = (last.0 - first.0, last.1 - first.1);
    // A curve whose ends differ by less than a factor of 1.5 has no knee worth naming.
    if span_rate <= 0.0 || span_latency < 1.5f64.ln() {
        return None;
    }
    let below_chord = |(rate, latency): &(f64, f64)| {
        (rate - first.0) / span_rate - (latency - first.1) / span_latency
    };
    usable
        .iter()
        .map(|point| (below_chord(point), point.0))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(distance, _)| *distance > 0.1)
        .map(|(_, rate)| rate)
}

/// The rate at which the latency first passes `limit`, between two points by interpolation of its logarithm.
#[must_use]
pub fn crossing(points: &[(f64, f64)], limit: f64) -> Option<f64> {
    points.windows(2).find_map(|pair| {
        let ((rate_a, latency_a), (rate_b, latency_b)) = (pair[0], pair[1]);
        if latency_a > limit || latency_b <= limit || latency_a <= 0.0 {
            return None;
        }
        let share = (limit / latency_a).ln() / (latency_b / latency_a).ln();
        Some(rate_a + share * (rate_b - rate_a))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean response time of a queue with one server that can do 100.
    fn queue() -> Vec<(f64, f64)> {
        (1..100)
            .map(|rate| (f64::from(rate), 1.0 / (100.0 - f64::from(rate))))
            .collect()
    }

    #[test]
    fn a_queue_bends_near_its_capacity() {
        let knee = knee(&queue()).unwrap();
        assert!((70.0..95.0).contains(&knee), "{knee}");
    }

    #[test]
    fn flat_curves_have_no_knee() {
        assert_eq!(knee(&[(1.0, 5.0), (2.0, 5.1), (3.0, 5.2)]), None);
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn crossings_are_interpolated() {
        let crossing_at = crossing(&queue(), 0.1).unwrap();
        assert!((crossing_at - 90.0).abs() < 0.1, "{crossing_at}");
        assert_eq!(crossing(&queue(), 10.0), None);
    }
}
