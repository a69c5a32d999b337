//! Line charts as SVG: the few kinds that the HTML report needs. Colours come from the page's style sheet.

use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 46.0;

/// How an axis maps values to positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Proportional, from zero.
    Linear,
    /// By the logarithm.
    Log,
    /// Quantiles by their number of nines: 0.9, 0.99, 0.999 are equally far apart.
    Nines,
}

/// An axis: what it shows and how numbers on it are written.
pub struct Axis {
    /// Title.
    pub label: &'static str,
    /// Mapping.
    pub scale: Scale,
    /// Writes a value.
    pub format: fn(f64) -> String,
}

/// One line of a chart.
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Colour, by CSS class (`c1` to `c5`).
    pub class: &'static str,
    /// By rising x.
    pub points: Vec<(f64, f64)>,
    /// Draw each point.
    pub dots: bool,
    /// Draw the line.
    pub line: bool,
}

/// A line across the chart at one value.
pub struct Mark {
    /// The value at which the line lies.
    pub at: f64,
    /// Whether the line is horizontal; otherwise it is vertical.
    pub horizontal: bool,
    /// The label of the line.
    pub label: String,
    /// Colour, by CSS class.
    pub class: &'static str,
}

/// A chart.
pub struct Chart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// The marks.
    pub marks: Vec<Mark>,
}

/// A quantile's distance in nines, at most seven.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile.min(1.0 - 1e-7)).log10()
}

impl Scale {
    fn position(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.max(1e-9).log10(),
            Self::Nines => nines(value),
        }
    }

    /// The values that get a line and a label between two values.
    fn ticks(self, low: f64, high: f64) -> Vec<f64> {
        match self {
            Self::Linear => linear_ticks(low, high),
            Self::Log => log_ticks(low, high),
            Self::Nines => [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999]
                .into_iter()
                .filter(|tick| (low..=high + 1e-9).contains(tick))
                .collect(),
        }
    }
}

fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low).max(1e-9) / 6.0;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (
        low.max(1e-9).log10().floor() as i32,
        high.max(1e-9).log10().ceil() as i32,
    );
    let factors: &[f64] = if last - first <= 3 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    (first..=last)
        .flat_map(|decade| {
            factors
                .iter()
                .map(move |factor| factor * 10f64.powi(decade))
        })
        .filter(|tick| (low * 0.999..=high * 1.001).contains(tick))
        .collect()
}

/// The plotted area's value ranges.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    scales: (Scale, Scale),
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + share(self.scales.0, self.x, value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - share(self.scales.1, self.y, value) * (HEIGHT - TOP - BOTTOM)
    }
}

fn share(scale: Scale, (low, high): (f64, f64), value: f64) -> f64 {
    let (low, high) = (scale.position(low), scale.position(high));
    ((scale.position(value) - low) / (high - low).max(1e-12)).clamp(-0.02, 1.02)
}

fn range(scale: Scale, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite() && (scale != Scale::Log || *value > 0.0))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if low > high {
        return (0.1, 1.0);
    }
    match scale {
        Scale::Linear => (low.min(0.0), if high > 0.0 { high * 1.08 } else { 1.0 }),
        Scale::Log => (low / 1.25, (high * 1.4).max(low * 3.0)),
        Scale::Nines => (low, high),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

impl Chart {
    /// The chart as an `<svg>` element.
    #[must_use]
    pub fn render(&self) -> String {
        let frame = self.frame();
        let mut out = String::new();
        let _ = write!(
            out,
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart">"#
        );
        self.grid(&frame, &mut out);
        self.lines(&frame, &mut out);
        self.draw_marks(&frame, &mut out);
        self.legend(&mut out);
        out.push_str("</svg>");
        out
    }

    fn frame(&self) -> Frame {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let across = self.marks.iter().filter(|mark| mark.horizontal);
        let upright = self.marks.iter().filter(|mark| !mark.horizontal);
        Frame {
            x: range(
                self.x.scale,
                points()
                    .map(|point| point.0)
                    .chain(upright.map(|mark| mark.at)),
            ),
            y: range(
                self.y.scale,
                points()
                    .map(|point| point.1)
                    .chain(across.map(|mark| mark.at)),
            ),
            scales: (self.x.scale, self.y.scale),
        }
    }

    fn grid(&self, frame: &Frame, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.y.scale.ticks(frame.y.0, frame.y.1) {
            let y = frame.y(tick);
            let label = (self.y.format)(tick);
            let _ = write!(
                out,
                r#"<line class="grid" x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                LEFT - 8.0,
                y + 4.0
            );
        }
        for tick in self.x.scale.ticks(frame.x.0, frame.x.1) {
            let x = frame.x(tick);
            let label = (self.x.format)(tick);
            let _ = write!(
                out,
                r#"<line class="grid" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}"/><text class="tick" x="{x:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#,
                bottom + 18.0
            );
        }
        let _ = write!(
            out,
            r#"<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/><text class="label" x="{:.1}" y="{:.1}" text-anchor="end">{}</text><text class="label" x="{LEFT}" y="{:.1}" text-anchor="start">{}</text>"#,
            right,
            HEIGHT - 8.0,
            escape(self.x.label),
            TOP - 14.0,
            escape(self.y.label)
        );
    }

    fn lines(&self, frame: &Frame, out: &mut String) {
        for series in &self.series {
            let visible = || {
                series
                    .points
                    .iter()
                    .filter(|(_, y)| self.y.scale != Scale::Log || *y > 0.0)
            };
            if series.line {
                let path: Vec<String> = visible()
                    .map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y)))
                    .collect();
                let _ = write!(
                    out,
                    r#"<polyline class="line {}" points="{}"/>"#,
                    series.class,
                    path.join(" ")
                );
            }
            if series.dots {
                for (x, y) in visible() {
                    let _ = write!(
                        out,
                        r#"<circle class="dot {}" cx="{:.1}" cy="{:.1}" r="3.6"><title>{}: {} at {}</title></circle>"#,
                        series.class,
                        frame.x(*x),
                        frame.y(*y),
                        escape(&series.name),
                        (self.y.format)(*y),
                        (self.x.format)(*x)
                    );
                }
            }
        }
    }

    fn draw_marks(&self, frame: &Frame, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut row = 0.0;
        for mark in &self.marks {
            let label = escape(&mark.label);
            if mark.horizontal {
                let y = frame.y(mark.at);
                let _ = write!(
                    out,
                    r#"<line class="mark {0}" x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/><text class="note {0}" x="{1:.1}" y="{2:.1}">{label}</text>"#,
                    mark.class,
                    LEFT + 6.0,
                    y - 5.0
                );
            } else {
                let x = frame.x(mark.at);
                let (anchor, offset) = if x > WIDTH * 0.75 {
                    ("end", -6.0)
                } else {
                    ("start", 6.0)
                };
                let _ = write!(
                    out,
                    r#"<line class="mark {0}" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}"/><text class="note {0}" x="{1:.1}" y="{2:.1}" text-anchor="{anchor}">{label}</text>"#,
                    mark.class,
                    x + offset,
                    TOP + 14.0 + row
                );
                row += 16.0;
            }
        }
    }

    fn legend(&self, out: &mut String) {
        let mut x = WIDTH - RIGHT;
        for series in self.series.iter().rev() {
            x -= 7.2 * series.name.len() as f64 + 8.0;
            let _ = write!(
                out,
                r#"<text class="legend" x="{:.1}" y="{:.1}">{}</text><line class="line {}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
                x,
                TOP - 14.0,
                escape(&series.name),
                series.class,
                x - 24.0,
                TOP - 18.0,
                x - 6.0,
                TOP - 18.0
            );
            x -= 38.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            linear_ticks(0.0, 100_000.0),
            [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]
        );
        assert_eq!(log_ticks(1e4, 1e6).len(), 7);
        assert_eq!(log_ticks(1.0, 1e6).len(), 7);
    }

    #[test]
    fn an_empty_chart_is_still_a_chart() {
        let axis = |scale| Axis {
            label: "x <y>",
            scale,
            format: |value| value.to_string(),
        };
        let chart = Chart {
            x: axis(Scale::Nines),
            y: axis(Scale::Log),
            series: Vec::new(),
            marks: Vec::new(),
        };
        let svg = chart.render();
        assert!(svg.starts_with("<svg") && svg.contains("x &lt;y&gt;"));
    }
}
