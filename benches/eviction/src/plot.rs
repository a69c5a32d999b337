//! Results as a picture: for each stream, the misses of each cache as a share of memcached's.

use std::error::Error;
use std::io;
use std::path::Path;

use plotters::prelude::*;

use crate::run::Comparison;

const WIDTH: u32 = 900;
const ROW: u32 = 26;
/// Room for names of streams, for the axis and for the legend.
const LEFT: u32 = 210;
const BOTTOM: u32 = 40;
const TOP: u32 = 106;
const COLOURS: [RGBColor; 12] = [
    RGBColor(60, 60, 60),
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 140, 140),
    RGBColor(23, 160, 190),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(188, 189, 34),
    RGBColor(0, 90, 90),
];

/// Writes the plot.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(path: &Path, comparisons: &[Comparison]) -> io::Result<()> {
    let mut svg = String::new();
    draw(&mut svg, comparisons).map_err(|error| io::Error::other(error.to_string()))?;
    std::fs::write(path, svg)
}

/// Misses as a percentage of those of the first cache.
fn relative(comparison: &Comparison) -> impl Iterator<Item = f64> {
    let first = comparison.outcomes.first();
    let base = first.map_or(1.0, |outcome| outcome.miss_percent);
    let outcomes = comparison.outcomes.iter();
    outcomes.map(move |outcome| 100.0 * outcome.miss_percent / base)
}

fn draw(svg: &mut String, comparisons: &[Comparison]) -> Result<(), Box<dyn Error>> {
    let Some(sample) = comparisons.first() else {
        return Ok(());
    };
    let height = TOP + BOTTOM + ROW * comparisons.len() as u32;
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let all = || comparisons.iter().flat_map(relative);
    let low = (all().fold(100.0, f64::min) / 5.0).floor() * 5.0 - 1.0;
    let high = (all().fold(100.0, f64::max) / 5.0).ceil() * 5.0 + 1.0;
    let rows = comparisons.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .margin_top(TOP)
        .margin_left(LEFT)
        .margin_right(20)
        .x_label_area_size(BOTTOM)
        .build_cartesian_2d(low..high, rows..0.0)?;
    let base = &sample.outcomes[0].cache;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_desc(format!("misses, {base} = 100"))
        .draw()?;
    for (row, comparison) in comparisons.iter().enumerate() {
        let y = (TOP + ROW * row as u32 + ROW / 2 - 6) as i32;
        root.draw(&Text::new(
            comparison.spec.name,
            (10, y),
            ("sans-serif", 13),
        ))?;
        for (cache, percent) in relative(comparison).enumerate() {
            let style = COLOURS[cache % COLOURS.len()].filled();
            let radius = if is_model(cache, sample) { 3 } else { 6 };
            chart.draw_series([Circle::new((percent, row as f64 + 0.5), radius, style)])?;
        }
    }
    for (cache, outcome) in sample.outcomes.iter().enumerate() {
        let at = (10 + 220 * (cache as i32 % 4), 12 + 22 * (cache as i32 / 4));
        let style = COLOURS[cache % COLOURS.len()].filled();
        let radius = if is_model(cache, sample) { 3 } else { 6 };
        root.draw(&Circle::new((at.0 + 6, at.1 + 6), radius, style))?;
        root.draw(&Text::new(
            outcome.cache.clone(),
            (at.0 + 18, at.1),
            ("sans-serif", 13),
        ))?;
    }
    root.present()?;
    Ok(())
}

/// Reference policies are drawn small.
fn is_model(cache: usize, comparison: &Comparison) -> bool {
    comparison
        .outcomes
        .get(cache)
        .is_some_and(|outcome| outcome.is_model)
}
