//! Where a curve of excesses crosses 1, and how sure that is.
//!
//! An excess is a probe's figure over the one that the objective allows: with `p99<2ms` the share of requests above 2
//! ms, over 1%. Close to the edge the expectation of the excess grows like a power of the rate. Unlike a percentile or
//! its logarithm, the excess is measured without bias, however few requests lie above the limit. So the curve `exp(a +
//! b ln rate)` is fitted to the probes near the edge (a generalized linear model with a logarithmic link and a variance
//! in proportion to the mean, whose factor is taken from the scatter of the probes), and the edge is where the curve
//! equals one. The interval is Fieller's: all rates at which the fitted curve is not told apart from one.

use super::student::two_sided;

/// One probe: the logarithm of its rate, and its excess.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Natural logarithm of the requests per second.
    pub log_rate: f64,
    /// The measured figure over the allowed one: above 1 the objective is missed.
    pub excess: f64,
}

/// The edge and the interval that holds it, as logarithms of rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Where the fitted curve crosses 1.
    pub at: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How fast the excess grows at the edge: the power of the rate.
    pub slope: f64,
    /// Probes the fit rests on.
    pub points: usize,
}

/// Probes whose fitted excess is this many times above or below 1 are left out of the fit: the curve is a power of the
/// rate only nearby.
const REACH: f64 = 5.0;
/// An excess above this is as far from 1 as any: a server that is over its limit has most requests above the limit,
/// whatever the rate.
pub const EXCESS_MAX: f64 = 20.0;
/// The confidence of the interval: it leaves out one edge in a hundred, where one in twenty is promised, because the
/// probes' scatter is not normal, the rates are chosen by earlier probes, and real machines drift.
const CONFIDENCE: f64 = 0.99;
/// Rounds of reweighting; a dozen are enough from a good start.
const ROUNDS: u32 = 40;
/// The fewest points of a fit: with fewer there is no line or no scatter to tell.
const POINTS_MIN: usize = 4;
/// The steepest curve that a fit may have: from a tenth of what is allowed to ten times within 1% of the rate.
const SLOPE_MAX: f64 = 460.0;

/// Whether the excesses show a step rather than a curve: most of them are far from 1, so that a fit would know no more
/// than its own form.
#[must_use]
pub fn is_step(points: &[Point]) -> bool {
    let telling = points
        .iter()
        .filter(|point| (1.0 / REACH..REACH).contains(&point.excess))
        .count();
    2 * telling < points.len()
}

/// Fits the curve to the points near the edge. `None` if the points show no curve: no growth, or too few points.
#[must_use]
pub fn edge(points: &[Point]) -> Option<Edge> {
    let mut near = points.to_vec();
    let mut fitted = fit(&near)?;
    // Which points are near depends on the fit, and the fit on which points are near: a few rounds settle both.
    for _ in 0..4 {
        let reach = REACH.ln() / fitted.slope.max(f64::MIN_POSITIVE);
        let kept: Vec<Point> = points
            .iter()
            .copied()
            .filter(|point| (point.log_rate - fitted.at()).abs() <= reach)
            .collect();
        if kept.len() < POINTS_MIN || kept == near {
            break;
        }
        let Some(again) = fit(&kept) else { break };
        (near, fitted) = (kept, again);
    }
    fitted.edge(&near)
}

/// `exp(intercept + slope (log_rate - center))` with the matrix of its errors.
#[derive(Debug, Clone, Copy)]
struct Fit {
    center: f64,
    intercept: f64,
    slope: f64,
    var_intercept: f64,
    var_slope: f64,
    covariance: f64,
}

/// Iteratively reweighted least squares.
fn fit(points: &[Point]) -> Option<Fit> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let count = points.len() as f64;
    let center = points.iter().map(|point| point.log_rate).sum::<f64>() / count;
    let excess = |point: &Point| point.excess.min(EXCESS_MAX);
    let mean = points.iter().map(excess).sum::<f64>() / count;
    if mean <= 0.0 {
        return None;
    }
    let (mut intercept, mut slope) = (mean.ln(), 0.0);
    let mut sums = Sums::default();
    for _ in 0..ROUNDS {
        sums = Sums::default();
        for point in points {
            let x = point.log_rate - center;
            let expected = (intercept + slope * x).clamp(-20.0, 20.0).exp();
            let working = intercept + slope * x + (excess(point) - expected) / expected;
            sums.add(expected, x, working);
        }
        let (next_intercept, next_slope) = sums.solve()?;
        // Half steps where a full one overshoots.
        let step = (next_slope - slope).clamp(-100.0, 100.0);
        let done = (next_intercept - intercept).abs() + (next_slope - slope).abs() < 1e-9;
        intercept += (next_intercept - intercept).clamp(-3.0, 3.0);
        slope = (slope + step).clamp(-SLOPE_MAX, SLOPE_MAX);
        if done {
            break;
        }
    }
    let scatter = points
        .iter()
        .map(|point| {
            let expected = (intercept + slope * (point.log_rate - center))
                .clamp(-20.0, 20.0)
                .exp();
            (excess(point) - expected).powi(2) / expected
        })
        .sum::<f64>()
        / (count - 2.0);
    let determinant = sums.determinant()?;
    (intercept.is_finite() && slope.is_finite() && slope > 0.0).then_some(Fit {
        center,
        intercept,
        slope,
        var_intercept: scatter * sums.xx / determinant,
        var_slope: scatter * sums.w / determinant,
        covariance: -scatter * sums.x / determinant,
    })
}

/// Weighted sums of a straight line's normal equations.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    w: f64,
    x: f64,
    xx: f64,
    y: f64,
    xy: f64,
}

impl Sums {
    fn add(&mut self, weight: f64, x: f64, y: f64) {
        self.w += weight;
        self.x += weight * x;
        self.xx += weight * x * x;
        self.y += weight * y;
        self.xy += weight * x * y;
    }

    fn determinant(&self) -> Option<f64> {
        let determinant = self.w * self.xx - self.x * self.x;
        (determinant.is_finite() && determinant > 1e-12).then_some(determinant)
    }

    fn solve(&self) -> Option<(f64, f64)> {
        let determinant = self.determinant()?;
        Some((
            (self.xx * self.y - self.x * self.xy) / determinant,
            (self.w * self.xy - self.x * self.y) / determinant,
        ))
    }
}

impl Fit {
    fn at(&self) -> f64 {
        self.center - self.intercept / self.slope
    }

    fn edge(&self, near: &[Point]) -> Option<Edge> {
        let t = two_sided(CONFIDENCE, near.len() - 2);
        // Fieller: the roots of (intercept + slope x)^2 = t^2 variance(intercept + slope x).
        let (a, b) = (self.intercept, self.slope);
        let squared = b * b - t * t * self.var_slope;
        let linear = a * b - t * t * self.covariance;
        let constant = a * a - t * t * self.var_intercept;
        let discriminant = linear * linear - squared * constant;
        // The slope cannot be told apart from 0: any rate could be the edge.
        if squared <= 0.0 || discriminant < 0.0 {
            return None;
        }
        let root = discriminant.sqrt();
        let fitted = (
            self.center + (-linear - root) / squared,
            self.center + (-linear + root) / squared,
        );
        Some(Edge {
            at: self.at(),
            low: fitted.0,
            high: fitted.1,
            slope: b,
            points: near.len(),
        })
    }
}
