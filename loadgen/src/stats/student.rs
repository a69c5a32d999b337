//! Quantiles of Student's t: how much wider an interval must be because the scatter itself is only estimated.

/// Steps of the bisection; 40 halvings of 1000 end far below what any interval shows.
const HALVINGS: u32 = 40;
/// No quantile asked for lies above (one degree of freedom at 99.9% is at 637).
const T_MAX: f64 = 1000.0;
/// Slices of the numerical integral.
const SLICES: u32 = 200;

/// The two-sided quantile: a t variable of `freedom` degrees lies within plus and minus this with this probability.
#[must_use]
pub fn two_sided(confidence: f64, freedom: usize) -> f64 {
    let freedom = freedom.max(1) as f64;
    let (mut low, mut high) = (0.0, T_MAX);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if within(middle, freedom) < confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability between `-t` and `t`. With `x = sqrt(freedom) tan(a)` the density becomes a power of a cosine, which
/// has no tail to cut off; Simpson's rule integrates it.
fn within(t: f64, freedom: f64) -> f64 {
    let density = |angle: f64| angle.cos().powf(freedom - 1.0);
    let upto = |angle: f64| {
        let step = angle / f64::from(SLICES);
        let weighted = (1..SLICES).map(|slice| {
            let weight = if slice % 2 == 1 { 4.0 } else { 2.0 };
            weight * density(step * f64::from(slice))
        });
        (density(0.0) + density(angle) + weighted.sum::<f64>()) * step / 3.0
    };
    upto((t / freedom.sqrt()).atan()) / upto(std::f64::consts::FRAC_PI_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (confidence, freedom, expected) in [
            (0.95, 1, 12.706),
            (0.95, 5, 2.571),
            (0.95, 30, 2.042),
            (0.99, 10, 3.169),
            (0.9875, 5, 3.810),
        ] {
            let t = two_sided(confidence, freedom);
            assert!((t - expected).abs() < 0.002, "{confidence} {freedom}: {t}");
        }
    }
}
