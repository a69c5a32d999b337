//! Finding the highest rate that keeps an objective, and the interval that holds it.
//!
//! ```text
//! bracket   double the rate until a probe misses (or halve it until one keeps), then bisect to 15%: one probe each
//! edge      probe in pairs a little below and above where the edge seems to be, fit, and move there
//! ```
//!
//! One probe decides nothing: near the edge it is a matter of chance whether a probe keeps the objective. So the edge
//! is not bracketed but estimated, from all probes near it ([`edge`]), each with arrivals of its own. Probing goes on
//! until the interval of the estimate is as narrow as asked or the number of probes is used up. The interval at the end
//! shows the precision that was reached.

use super::edge::{Edge, Point, edge, is_step};

/// The result of a probe at some rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The measured figure over the one that the objective allows; up to 1 the objective is kept.
    pub excess: f64,
    /// Whether the objective would have been kept without the client's own lateness, or the client was busy all the
    /// time.
    pub client_limited: bool,
}

impl Outcome {
    /// Whether the objective was kept.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.excess <= 1.0
    }
}

/// How long a probe needs to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The probe only finds the way to the edge.
    Short,
    /// The probe is long enough for the objective's quantile: its outcome counts in the estimate.
    Full,
}

/// The parameters of a search.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rate of the first probe.
    pub start: f64,
    /// No probe goes above this rate.
    pub rate_max: f64,
    /// Stop when the interval reaches no farther than this share to either side.
    pub precision: f64,
    /// The fewest probes near the edge ...
    pub edge_probes_min: usize,
    /// ... and the most.
    pub edge_probes_max: usize,
}

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The edge: the estimate of the highest rate that keeps the objective.
    pub capacity: Option<f64>,
    /// The interval that holds the edge. Its upper end is infinite if no rate missed, its lower end 0 if no rate kept
    /// the objective.
    pub interval: (f64, f64),
    /// Most probes that missed near the edge did so because of the client: the server may do more.
    pub client_limited: bool,
    /// Whether the interval is as narrow as asked.
    pub settled: bool,
}

impl Found {
    /// The result of a search that was ended early.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            capacity: None,
            interval: (0.0, f64::INFINITY),
            client_limited: false,
            settled: false,
        }
    }
}

/// No search goes below this rate.
const RATE_MIN: f64 = 10.0;
/// Bisecting ends when the bounds are this close (as a factor): from there on the edge is estimated.
const BRACKET: f64 = 1.15;
/// The first pair of probes near the edge lies this far to either side, as a logarithm: within the bracket ...
const SPREAD_START: f64 = 0.05;
/// ... later ones where the excess is a factor of two off 1: near enough for the fit, far enough to show a slope. But
/// never closer than this share of the precision ...
const SPREAD_OF_PRECISION_MIN: f64 = 0.25;
/// ... or farther than this.
const SPREAD_MAX: f64 = 0.10;
/// The center of a pair moves at most this far from the last one.
const MOVE_MAX: f64 = 0.10;
/// Probes of which one may be disturbed without being believed.
const STRAY_ONE_IN: usize = 8;
/// Probes that must agree on either side of a step.
const WITNESSES: usize = 3;

/// Searches with `probe`, which measures at a rate. Its errors end the search.
pub fn search<E>(
    plan: &Plan,
    mut probe: impl FnMut(f64, Length) -> Result<Outcome, E>,
) -> Result<Found, E> {
    let bracket = bracket(plan, &mut probe)?;
    match bracket {
        Bracket::Between { kept, missed } => approach(plan, (kept * missed).sqrt(), &mut probe),
        Bracket::AllKept(rate) => Ok(Found {
            capacity: Some(rate),
            interval: (rate, f64::INFINITY),
            client_limited: false,
            settled: false,
        }),
        Bracket::NoneKept {
            rate,
            client_limited,
        } => Ok(Found {
            capacity: None,
            interval: (0.0, rate),
            client_limited,
            settled: false,
        }),
    }
}

enum Bracket {
    Between { kept: f64, missed: f64 },
    AllKept(f64),
    NoneKept { rate: f64, client_limited: bool },
}

fn bracket<E>(
    plan: &Plan,
    probe: &mut impl FnMut(f64, Length) -> Result<Outcome, E>,
) -> Result<Bracket, E> {
    let mut rate = plan.start.max(RATE_MIN).min(plan.rate_max);
    let mut last = confirmed(rate, probe)?;
    let (mut kept, mut missed) = (None, None);
    loop {
        if last.kept() {
            kept = Some(rate);
            if rate >= plan.rate_max {
                return Ok(Bracket::AllKept(rate));
            }
            rate = (rate * 2.0).min(plan.rate_max);
        } else {
            missed = Some(rate);
            if rate <= RATE_MIN {
                return Ok(Bracket::NoneKept {
                    rate,
                    client_limited: last.client_limited,
                });
            }
            rate = (rate / 2.0).max(RATE_MIN);
        }
        if let (Some(low), Some(high)) = (kept, missed) {
            return bisect(low, high, probe);
        }
        last = confirmed(rate, probe)?;
    }
}

fn bisect<E>(
    mut kept: f64,
    mut missed: f64,
    probe: &mut impl FnMut(f64, Length) -> Result<Outcome, E>,
) -> Result<Bracket, E> {
    while missed / kept > BRACKET {
        let middle = (kept * missed).sqrt();
        if probe(middle, Length::Short)?.kept() {
            kept = middle;
        } else {
            missed = middle;
        }
    }
    Ok(Bracket::Between { kept, missed })
}

/// Probes, and once more if the first probe missed: one disturbed probe must not halve the range.
fn confirmed<E>(
    rate: f64,
    probe: &mut impl FnMut(f64, Length) -> Result<Outcome, E>,
) -> Result<Outcome, E> {
    let first = probe(rate, Length::Short)?;
    if first.kept() {
        return Ok(first);
    }
    probe(rate, Length::Short)
}

/// The probes near the edge, and the estimate that follows from them.
struct Approach {
    center: f64,
    spread: f64,
    spread_min: f64,
    probes: Vec<(Point, Outcome)>,
}

/// The shape that the probes near the edge show.
enum Shape {
    /// A curve that crosses 1.
    Curve(Edge),
    /// A step between two rates (logarithms, infinite where nothing was seen).
    Step { low: f64, high: f64 },
    /// Neither a curve nor a step, yet.
    Unclear,
}

/// The edge and the interval that holds it, as logarithms of rates.
struct Estimate {
    low: f64,
    at: f64,
    high: f64,
}

fn approach<E>(
    plan: &Plan,
    start: f64,
    probe: &mut impl FnMut(f64, Length) -> Result<Outcome, E>,
) -> Result<Found, E> {
    let mut approach = Approach {
        center: start.ln(),
        spread: SPREAD_START,
        spread_min: (plan.precision * SPREAD_OF_PRECISION_MIN).min(SPREAD_START),
        probes: Vec::new(),
    };
    loop {
        let pair = [
            approach.probe(plan, -1.0, probe)?,
            approach.probe(plan, 1.0, probe)?,
        ];
        let shape = approach.shape();
        let Estimate { low, at, high } = approach.estimate(&shape);
        let enough = match &shape {
            Shape::Curve(edge) => edge.points >= plan.edge_probes_min,
            Shape::Step { .. } => approach.probes.len() >= plan.edge_probes_min,
            Shape::Unclear => false,
        };
        let settled = enough && (high - at).max(at - low) <= plan.precision.ln_1p();
        if settled || approach.probes.len() >= plan.edge_probes_max {
            return Ok(Found {
                capacity: Some(at.exp()),
                interval: (low.exp(), high.exp()),
                client_limited: approach.client_limited(),
                settled,
            });
        }
        approach.move_on(&shape, pair);
    }
}

impl Approach {
    fn probe<E>(
        &mut self,
        plan: &Plan,
        side: f64,
        probe: &mut impl FnMut(f64, Length) -> Result<Outcome, E>,
    ) -> Result<Outcome, E> {
        let rate = (self.center + side * self.spread)
            .exp()
            .clamp(RATE_MIN / 2.0, plan.rate_max);
        let outcome = probe(rate, Length::Full)?;
        let point = Point {
            log_rate: rate.ln(),
            excess: outcome.excess,
        };
        self.probes.push((point, outcome));
        Ok(outcome)
    }

    fn shape(&self) -> Shape {
        let points: Vec<Point> = self.probes.iter().map(|(point, _)| *point).collect();
        if is_step(&points) {
            let (low, high) = self.outer();
            return Shape::Step { low, high };
        }
        edge(&points).map_or(Shape::Unclear, Shape::Curve)
    }

    /// Chooses the rates of the next pair.
    fn move_on(&mut self, shape: &Shape, pair: [Outcome; 2]) {
        match (shape, pair.map(|outcome| outcome.kept())) {
            (Shape::Curve(edge), _) => {
                self.center += (edge.at - self.center).clamp(-MOVE_MAX, MOVE_MAX);
                self.spread = (2f64.ln() / edge.slope).clamp(self.spread_min, SPREAD_MAX);
            }
            (_, [true, true]) => self.center += self.spread,
            (_, [false, false]) => self.center -= self.spread,
            (Shape::Step { low, high }, _) if low.is_finite() && high.is_finite() => {
                let middle = f64::midpoint(*low, *high);
                self.center += (middle - self.center).clamp(-MOVE_MAX, MOVE_MAX);
                self.spread = ((high - low) / 4.0).clamp(self.spread_min, SPREAD_MAX);
            }
            // Farther apart, the slope shows through the noise.
            _ => self.spread = (self.spread * 1.4).min(SPREAD_MAX),
        }
    }

    fn estimate(&self, shape: &Shape) -> Estimate {
        let (low, high) = match shape {
            &Shape::Curve(Edge { low, at, high, .. }) => return Estimate { low, at, high },
            Shape::Step { low, high } => (*low, *high),
            Shape::Unclear => self.outer(),
        };
        let at = if low.is_finite() && high.is_finite() {
            f64::midpoint(low, high)
        } else {
            self.center
        };
        // A step is known no more closely than its probes lie.
        Estimate {
            low: low.min(at - self.spread_min),
            at,
            high: high.max(at + self.spread_min),
        }
    }

    /// The bounds that the probes' outcomes alone give: no rate below missed, no rate above kept, except one in
    /// [`STRAY_ONE_IN`] that something may have disturbed.
    fn outer(&self) -> (f64, f64) {
        let strays = self.probes.len() / STRAY_ONE_IN;
        let (mut kept, mut missed) = (Vec::new(), Vec::new());
        for (point, outcome) in &self.probes {
            match outcome.kept() {
                true => kept.push(point.log_rate),
                false => missed.push(point.log_rate),
            }
        }
        kept.sort_by(f64::total_cmp);
        missed.sort_by(f64::total_cmp);
        let lowest_missed = missed.get(strays).copied().unwrap_or(f64::INFINITY);
        let highest_kept = kept
            .iter()
            .rev()
            .nth(strays)
            .copied()
            .unwrap_or(f64::NEG_INFINITY);
        let below = kept.iter().rev().filter(|&&rate| rate < lowest_missed);
        let above = missed.iter().filter(|&&rate| rate > highest_kept);
        (
            below
                .copied()
                .nth(WITNESSES - 1)
                .unwrap_or(f64::NEG_INFINITY),
            above.copied().nth(WITNESSES - 1).unwrap_or(f64::INFINITY),
        )
    }

    /// Whether the client explains at least half of the probes that missed.
    fn client_limited(&self) -> bool {
        let missed = self.probes.iter().filter(|(_, outcome)| !outcome.kept());
        let (all, client) = missed.fold((0, 0), |(all, client), (_, outcome)| {
            (all + 1, client + usize::from(outcome.client_limited))
        });
        all > 0 && 2 * client >= all
    }
}

#[cfg(test)]
mod tests;
