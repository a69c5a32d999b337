//! Conditions between several options.

use super::draft::Draft;
use super::error::CliError;
use super::ssl;
use crate::base::config::{Config, SLAB_PAGE_BYTES};

/// Bounds of `-I`.
const ITEM_BYTES_MIN: u64 = 1024;
const ITEM_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Chunk sizes are multiples of this.
const CHUNK_ALIGNMENT: usize = 8;
/// Most slab classes that `-o slab_sizes` may name: memcached has 63, the last of which is the page's.
const SLAB_SIZES_MAX: usize = 62;
/// The value of `-n` if it is not given.
const SLAB_SIZE_MIN: u32 = 48;

/// Checks all settings.
pub(super) fn all(draft: &mut Draft) -> Result<(), CliError> {
    let config = &draft.config;
    if config.napi_ids as usize > config.threads {
        return Err(CliError::usage(format!(
            "Number of napi_ids({}) cannot be greater than number of threads({})",
            config.napi_ids, config.threads
        )));
    }
    ssl::check(config)?;
    let warning = ssl::warning(config);
    item_size(config)?;
    slab_chunk_max(config)?;
    slab_sizes(config)?;
    if config.hot_lru_pct + config.warm_lru_pct > 80 {
        return Err(
            CliError::usage("hot_lru_pct + warm_lru_pct cannot be more than 80% combined")
                .advising(format!(
                    "-o hot_lru_pct is {}, -o warm_lru_pct is {}",
                    config.hot_lru_pct, config.warm_lru_pct
                )),
        );
    }
    draft.warnings.extend(warning.map(str::to_owned));
    Ok(())
}

fn item_size(config: &Config) -> Result<(), CliError> {
    if config.item_size_max < ITEM_BYTES_MIN {
        return Err(
            CliError::usage("Item max size cannot be less than 1024 bytes.")
                .advising("-I takes a size such as 512k or 4m"),
        );
    }
    if config.item_size_max > config.memory_limit_bytes / 2 {
        let advice = format!(
            "items may have {} bytes (-I), and all memory is {} (-m): make -m larger, or -I smaller",
            config.item_size_max, config.memory_limit_bytes
        );
        return Err(
            CliError::usage("Cannot set item size limit higher than 1/2 of memory max.")
                .advising(advice),
        );
    }
    if config.item_size_max > ITEM_BYTES_MAX {
        return Err(
            CliError::usage("Cannot set item size limit higher than a gigabyte.")
                .advising("-I takes a size up to 1g"),
        );
    }
    Ok(())
}

fn slab_chunk_max(config: &Config) -> Result<(), CliError> {
    let (chunk, item) = (config.slab_chunk_max, config.item_size_max);
    if chunk > item {
        return Err(CliError::usage(format!(
            "slab_chunk_max (bytes: {chunk}) cannot be larger than -I (item_size_max {item})"
        )));
    }
    if !item.is_multiple_of(chunk) {
        return Err(CliError::usage(format!(
            "-I (item_size_max: {item}) must be evenly divisible by slab_chunk_max (bytes: {chunk})"
        )));
    }
    if !SLAB_PAGE_BYTES.is_multiple_of(chunk) {
        return Err(CliError::usage(format!(
            "slab_chunk_max (bytes: {chunk}) must divide evenly into {SLAB_PAGE_BYTES} (slab_page_size)"
        )));
    }
    Ok(())
}

fn slab_sizes(config: &Config) -> Result<(), CliError> {
    let Some(sizes) = &config.slab_sizes else {
        return Ok(());
    };
    let smallest = config.chunk_size_min.unwrap_or(SLAB_SIZE_MIN) as usize;
    let largest = usize::try_from(config.slab_chunk_max).unwrap_or(usize::MAX);
    let mut previous = 0;
    for &size in sizes {
        if size < smallest || size > largest {
            return Err(
                CliError::usage(format!("slab size {size} is out of valid range")).advising(
                    format!("-o slab_sizes takes sizes from {smallest} (-n) to {largest} bytes"),
                ),
            );
        }
        if size <= previous {
            return Err(CliError::usage(format!(
                "slab size {size} cannot be lower than or equal to a previous class size"
            )));
        }
        if size <= previous + CHUNK_ALIGNMENT {
            return Err(CliError::usage(format!(
                "slab size {size} must be at least {CHUNK_ALIGNMENT} bytes larger than previous class"
            )));
        }
        previous = size;
    }
    if sizes.len() >= SLAB_SIZES_MAX {
        return Err(
            CliError::usage("too many slab classes specified").advising(format!(
                "-o slab_sizes takes less than {SLAB_SIZES_MAX} sizes"
            )),
        );
    }
    Ok(())
}
