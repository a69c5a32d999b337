//! The interval log of `--hdr`: HdrHistogram's log format, which its tools and plotters read.

use crate::error::{Exit, LoadError, Result};
use crate::measurement::Measurement;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use std::time::{Duration, SystemTime};

/// Values are nanoseconds; the log shows maxima in milliseconds.
const NS_PER_MS: f64 = 1e6;

/// The log of a measurement: a histogram for each window of its time series.
pub fn render(measurement: &Measurement, started: SystemTime) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write(measurement, started, &mut out)
        .map_err(|why| LoadError::new(Exit::Failed, format!("writing the interval log: {why}")))?;
    Ok(out)
}

fn write(
    measurement: &Measurement,
    started: SystemTime,
    out: &mut Vec<u8>,
) -> std::result::Result<(), String> {
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(
            "loadgen: response times in nanoseconds, by the window in which a request was due",
        )
        .add_comment("requests without a reply count with the time they had waited at the end")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(NS_PER_MS)
        .begin_log_with(out, &mut serializer)
        .map_err(|error| error.to_string())?;
    for (point, response) in measurement.points().iter().zip(measurement.histograms()) {
        let start = Duration::from_secs_f64(point.start_s.max(0.0));
        let length = Duration::from_secs_f64(point.length_s);
        writer
            .write_histogram(&response, start, length, None)
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}
