//! `-o` of work in the background, none of which has an effect here.

use crate::base::config::Config;
use crate::cli::error::CliError;
use crate::cli::number::{atoi, whole_u32};

pub(super) fn lru_crawler_sleep(config: &mut Config, text: &str) -> Result<(), CliError> {
    match atoi(text) {
        microseconds @ 0..=1_000_000 => config.lru_crawler_sleep = microseconds as u32,
        _ => {
            return Err(CliError::failure(
                "LRU crawler sleep must be between 0 and 1 second",
            ));
        }
    }
    Ok(())
}

pub(super) fn lru_crawler_tocrawl(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.lru_crawler_tocrawl = whole_u32(text)
        .ok_or_else(|| CliError::failure("lru_crawler_tocrawl takes a numeric 32bit value"))?;
    Ok(())
}

pub(super) fn tail_repair_time(config: &mut Config, text: &str) -> Result<(), CliError> {
    match atoi(text) {
        seconds @ 10.. => config.tail_repair_time = seconds as u32,
        _ => {
            return Err(CliError::failure(
                "Cannot set tail_repair_time to less than 10 seconds",
            ));
        }
    }
    Ok(())
}

pub(super) fn temporary_ttl(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.temporary_ttl = atoi(text).cast_unsigned();
    config.temp_lru = true;
    Ok(())
}
