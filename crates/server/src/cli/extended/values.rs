//! Values of `-o` that several settings have alike.

use crate::cli::error::CliError;
use crate::cli::number::{leading_float, leading_integer, whole_u32};

/// A number that memcached reads with `atoi`; words are refused.
pub(super) fn number(name: &str, text: &str) -> Result<i64, CliError> {
    leading_integer(text)
        .ok_or_else(|| CliError::failure(format!("{name} takes a number, not \"{text}\"")))
}

/// A number as above that is 0 or more.
pub(super) fn unsigned(name: &str, text: &str) -> Result<u32, CliError> {
    u32::try_from(number(name, text)?)
        .map_err(|_| CliError::failure(format!("{name} must be between 0 and {}", u32::MAX)))
}

pub(super) fn unparsable(name: &str) -> CliError {
    CliError::failure(format!("could not parse argument to {name}"))
}

pub(super) fn percentage(setting: &mut u32, name: &str, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(percent @ 1..=79) => *setting = percent as u32,
        _ => return Err(CliError::failure(format!("{name} must be > 1 and < 80"))),
    }
    Ok(())
}

pub(super) fn factor(setting: &mut f64, name: &str, text: &str) -> Result<(), CliError> {
    let factor = leading_float(text);
    if factor <= 0.0 {
        return Err(CliError::failure(format!("{name} must be > 0")));
    }
    *setting = factor;
    Ok(())
}

pub(super) fn kilobytes(setting: &mut u64, name: &str, text: &str) -> Result<(), CliError> {
    *setting = u64::from(whole_u32(text).ok_or_else(|| unparsable(name))?) << 10;
    Ok(())
}
