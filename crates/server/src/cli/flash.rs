//! Sub-options of memcached's storage on flash (extstore), which does not exist here. `ext_path`, which would turn it
//! on, is refused; the other sub-options only tune it: they are read and have no effect, as in memcached without
//! `ext_path`.

use crate::base::config::Config;

use super::error::CliError;
use super::number::{whole_float, whole_u32};
use super::unsupported;

/// The sub-option that turns the storage on.
const PATH: &str = "ext_path";
/// A sub-option without a value.
const DROP_UNREAD: &str = "ext_drop_unread";
/// Sub-options with a whole number.
const NUMBERS: [&str; 11] = [
    "ext_page_size",
    "ext_wbuf_size",
    "ext_threads",
    "ext_io_depth",
    "ext_item_size",
    "ext_item_age",
    "ext_low_ttl",
    "ext_recache_rate",
    "ext_compact_under",
    "ext_drop_under",
    "ext_max_sleep",
];
/// Sub-options with a fraction.
const FRACTIONS: [&str; 2] = ["ext_max_frag", FREE_RATIO];
/// The one that `stats settings` shows.
const FREE_RATIO: &str = "slab_automove_freeratio";

/// The names of all these sub-options.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NUMBERS
        .into_iter()
        .chain(FRACTIONS)
        .chain([PATH, DROP_UNREAD])
}

/// Reads a sub-option; returns `false` if it is none of these.
pub(super) fn apply(
    config: &mut Config,
    name: &str,
    value: Option<&str>,
) -> Result<bool, CliError> {
    if name == PATH {
        return match value {
            None => Err(CliError::failure(
                "missing argument to ext_path, ie: ext_path=/d/file:5G",
            )),
            Some(_) => Err(unsupported::refuse(
                "-o ext_path",
                "storage of items on flash (extstore)",
            )),
        };
    }
    if name == DROP_UNREAD {
        return Ok(true);
    }
    let (is_number, is_fraction) = (NUMBERS.contains(&name), FRACTIONS.contains(&name));
    if !is_number && !is_fraction {
        return Ok(false);
    }
    let Some(value) = value else {
        return Err(CliError::failure(format!("Missing {name} argument")));
    };
    let read = match is_number {
        true => whole_u32(value).map(f64::from),
        false => whole_float(value),
    };
    let read =
        read.ok_or_else(|| CliError::failure(format!("could not parse argument to {name}")))?;
    if name == FREE_RATIO {
        config.slab_automove_freeratio = read;
    }
    Ok(true)
}
