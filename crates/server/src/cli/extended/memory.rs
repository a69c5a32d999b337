//! `-o` of memory: slab classes, pages, eviction and the index.

use crate::base::config::{Config, EVICTION};
use crate::cli::error::CliError;
use crate::cli::number::{atoi, leading_float, leading_integer};

use super::values::kilobytes;

pub(super) fn slab_sizes(config: &mut Config, text: &str) -> Result<(), CliError> {
    let sizes = text.split('-').map(|size| {
        leading_integer(size)
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0)
    });
    config.slab_sizes = Some(sizes.collect());
    Ok(())
}

pub(super) fn slab_chunk_max(config: &mut Config, text: &str) -> Result<(), CliError> {
    kilobytes(&mut config.slab_chunk_max, "slab_chunk_max", text)?;
    match config.slab_chunk_max {
        0 => Err(CliError::failure("slab_chunk_max must be > 0")),
        _ => Ok(()),
    }
}

pub(super) fn slab_automove(config: &mut Config, text: &str) -> Result<(), CliError> {
    match atoi(text) {
        level @ 0..=2 => config.slab_automove = level as u32,
        _ => return Err(CliError::failure("slab_automove must be between 0 and 2")),
    }
    Ok(())
}

pub(super) fn slab_automove_ratio(config: &mut Config, text: &str) -> Result<(), CliError> {
    let ratio = leading_float(text);
    if ratio <= 0.0 || ratio > 1.0 {
        return Err(CliError::failure("slab_automove_ratio must be > 0 and < 1"));
    }
    config.slab_automove_ratio = ratio;
    Ok(())
}

pub(super) fn slab_automove_window(config: &mut Config, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(seconds @ 3..=1800) => config.slab_automove_window = seconds as u32,
        Some(1801..) => return Err(CliError::failure("slab_automove_window must be <= 1800")),
        _ => return Err(CliError::failure("slab_automove_window must be > 2")),
    }
    Ok(())
}

/// The value of `-o eviction`. There was a second one, `clock`: docs/design/002-eviction.md.
pub(super) fn eviction(_config: &mut Config, text: &str) -> Result<(), CliError> {
    match text {
        EVICTION => Ok(()),
        "clock" => Err(CliError::failure(
            "eviction=clock is no more: s3fifo has fewer misses, and is the only policy; leave the option out",
        )),
        _ => Err(CliError::failure("eviction must be s3fifo")),
    }
}

pub(super) fn hashpower(config: &mut Config, text: &str) -> Result<(), CliError> {
    let power = leading_integer(text).unwrap_or(0);
    if power < 12 {
        return Err(CliError::failure(format!(
            "Initial hashtable multiplier of {power} is too low"
        )));
    }
    if power > 32 {
        return Err(CliError::failure(format!(
            "Initial hashtable multiplier of {power} is too high\n\
             Choose a value based on \"STAT hash_power_level\" from a running instance"
        )));
    }
    config.hashpower = power as u32;
    Ok(())
}

pub(super) fn hash_algorithm(config: &mut Config, text: &str) -> Result<(), CliError> {
    let known = ["jenkins", "murmur3", "xxh3"]
        .into_iter()
        .find(|name| *name == text);
    config.hash_algorithm = known.ok_or_else(|| {
        CliError::failure("Unknown hash_algorithm option (jenkins, murmur3, xxh3)")
    })?;
    Ok(())
}
