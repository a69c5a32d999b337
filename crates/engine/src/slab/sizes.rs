//! The chunk sizes of the slab classes, and the class of a size.
//!
//! Class 0 is the index; items begin with class 1, as in memcached. By default sizes go up in steps of 8 bytes to 512,
//! then by 5 %, each made as large as the same number of chunks per page allows, so that the tail of a page is always
//! shorter than 8 bytes for each of its chunks. The largest chunk is an eighth of a page: larger items are chains whose
//! last chunk has a class of its own, which wastes less than one chunk of up to a page would.

use crate::config::EngineConfig;

/// Upper bound of the number of classes, class 0 included.
const CLASSES_MAX: usize = 250;
/// Classes that memcached's users and tools know: numbers from 1 to this.
const SHOWN_MAX: usize = 63;
/// Smallest chunk of the default sizes: the header of an item, a key and a value of a few bytes.
const CHUNK_MIN: usize = 24;
/// Up to here the default sizes go in steps of the granule.
const FINE_MAX: usize = 512;
/// Ratio of the default sizes above [`FINE_MAX`].
const RATIO: f64 = 1.05;
/// The last chunk of a chain has one of so many sizes, which are parts of the largest. With finer sizes each class
/// would hold only a few chunks, and a freed chain would hardly ever leave chunks that the next chain needs.
pub(crate) const LATER_CLASSES: usize = 8;
/// Sizes up to this are looked up in a table.
const TABLE_BYTES: usize = 2048;
/// Smallest value that may be asked of `chunk_max`: a chain link has to carry more data than header.
const CHUNK_MAX_MIN: usize = 512;

/// Chunk sizes by class.
#[derive(Debug)]
pub(crate) struct Sizes {
    sizes: Vec<u32>,
    small: Box<[u8]>,
    /// The classes of later chunks of chains.
    later: [u8; LATER_CLASSES],
    granule: usize,
}

impl Sizes {
    /// The sizes that `config` asks for, each a multiple of `granule`. `index_chunk` is the size of class 0.
    pub(crate) fn new(
        config: &EngineConfig,
        header_bytes: usize,
        granule: usize,
        index_chunk: usize,
    ) -> Self {
        let sizes = if let Some(given) = &config.slab_sizes {
            explicit(given, config, granule)
        } else if config.growth_factor.is_some() || config.chunk_min.is_some() {
            geometric(config, header_bytes, granule)
        } else {
            default_sizes(config, granule)
        };
        debug_assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
        let sizes: Vec<u32> = std::iter::once(index_chunk)
            .chain(sizes)
            .map(|size| size as u32)
            .collect();
        assert!(sizes.len() <= CLASSES_MAX, "{} slab classes", sizes.len());
        let small = (0..=TABLE_BYTES / granule)
            .map(|units| search(&sizes, units * granule).unwrap_or(0))
            .collect();
        let largest = sizes[sizes.len() - 1] as usize;
        let later = std::array::from_fn(|part| {
            let bytes = largest.div_ceil(LATER_CLASSES) * (part + 1);
            search(&sizes, bytes.min(largest)).unwrap_or(0)
        });
        Self {
            sizes,
            small,
            later,
            granule,
        }
    }

    /// Number of classes, class 0 included.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Chunk size of `class`.
    #[inline]
    pub(crate) fn chunk_bytes(&self, class: u8) -> usize {
        self.sizes[usize::from(class)] as usize
    }

    /// The class with the largest chunks, where chains begin.
    #[inline]
    pub(crate) fn top(&self) -> u8 {
        self.sizes.len() as u8 - 1
    }

    /// The class for a later chunk of a chain that takes `bytes`, of at most the largest chunk.
    pub(crate) fn later_class(&self, bytes: usize) -> u8 {
        let part = self.chunk_max().div_ceil(LATER_CLASSES);
        self.later[bytes.div_ceil(part).max(1) - 1]
    }

    /// The classes of later chunks of chains, from small to large.
    pub(crate) fn later_classes(&self) -> [u8; LATER_CLASSES] {
        self.later
    }

    /// The number under which users see a class, 1 to [`SHOWN_MAX`]: neighbours share one where there are more classes.
    pub(crate) fn shown_id(&self, class: u8) -> u8 {
        let items = self.len() - 1;
        if items <= SHOWN_MAX {
            class
        } else {
            (1 + (usize::from(class) - 1) * SHOWN_MAX / items) as u8
        }
    }

    /// The largest chunk of an item.
    #[inline]
    pub(crate) fn chunk_max(&self) -> usize {
        self.sizes[self.sizes.len() - 1] as usize
    }

    /// The class with the smallest chunk that holds `bytes`, if there is one.
    #[inline]
    pub(crate) fn class_for(&self, bytes: usize) -> Option<u8> {
        if bytes <= TABLE_BYTES {
            let class = self.small[bytes.div_ceil(self.granule)];
            return (class != 0).then_some(class);
        }
        search(&self.sizes, bytes)
    }
}

fn search(sizes: &[u32], bytes: usize) -> Option<u8> {
    let class = 1 + sizes[1..].partition_point(|&size| (size as usize) < bytes);
    (class < sizes.len()).then_some(class as u8)
}

/// The largest chunk allowed for configured sizes: `chunk_max` cut to a page.
fn largest(config: &EngineConfig, granule: usize) -> usize {
    let limit = config.chunk_max.clamp(CHUNK_MAX_MIN, config.page_bytes);
    limit / granule * granule
}

/// The largest chunk size of which `page_bytes` holds as many as of `size`.
fn stretch(size: usize, page_bytes: usize, granule: usize) -> usize {
    (page_bytes / (page_bytes / size)) / granule * granule
}

fn default_sizes(config: &EngineConfig, granule: usize) -> Vec<usize> {
    let largest = largest(config, granule).min(config.page_bytes / 8);
    let mut sizes: Vec<usize> = Vec::new();
    let mut size = CHUNK_MIN.next_multiple_of(granule);
    while size < largest {
        let fitted = stretch(size, config.page_bytes, granule);
        if fitted < largest && sizes.last().is_none_or(|&last| last < fitted) {
            sizes.push(fitted);
        }
        let step = if size < FINE_MAX {
            granule
        } else {
            (size as f64 * (RATIO - 1.0)) as usize
        };
        size = (size + step.max(granule)).next_multiple_of(granule);
    }
    sizes.push(largest);
    sizes
}

fn geometric(config: &EngineConfig, header_bytes: usize, granule: usize) -> Vec<usize> {
    let largest = largest(config, granule);
    let factor = config.growth_factor.unwrap_or(1.25).max(1.001);
    let mut sizes = Vec::new();
    let mut size = (header_bytes + config.chunk_min.unwrap_or(48)).next_multiple_of(granule);
    while (size as f64) <= largest as f64 / factor && sizes.len() < SHOWN_MAX - 1 {
        sizes.push(size);
        let next = ((size as f64 * factor) as usize).next_multiple_of(granule);
        size = next.max(size + granule);
    }
    sizes.push(largest);
    sizes
}

fn explicit(given: &[usize], config: &EngineConfig, granule: usize) -> Vec<usize> {
    let largest = largest(config, granule);
    let mut sizes: Vec<usize> = given
        .iter()
        .map(|&size| size.max(CHUNK_MIN).next_multiple_of(granule))
        .filter(|&size| size < largest)
        .take(SHOWN_MAX - 1)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.push(largest);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(config: &EngineConfig) -> Sizes {
        Sizes::new(config, 14, 8, 256)
    }

    #[test]
    fn every_size_gets_the_smallest_chunk_that_holds_it() {
        let sizes = sizes(&EngineConfig::default());
        for bytes in 1..=sizes.chunk_max() {
            let class = sizes.class_for(bytes).unwrap();
            assert!(sizes.chunk_bytes(class) >= bytes);
            assert!(
                class == 1 || sizes.chunk_bytes(class - 1) < bytes,
                "{bytes}"
            );
        }
        assert_eq!(sizes.class_for(sizes.chunk_max() + 1), None);
    }

    #[test]
    fn later_chunks_of_chains_have_few_sizes() {
        for config in [
            EngineConfig::default(),
            EngineConfig {
                slab_sizes: Some(vec![96, 1000]),
                ..EngineConfig::default()
            },
        ] {
            let sizes = sizes(&config);
            for bytes in 1..=sizes.chunk_max() {
                let class = sizes.later_class(bytes);
                assert!(sizes.later_classes().contains(&class));
                assert!(sizes.chunk_bytes(class) >= bytes, "{bytes}");
            }
            assert_eq!(sizes.later_class(sizes.chunk_max()), sizes.top());
        }
    }

    #[test]
    fn default_sizes_lose_under_five_percent() {
        for page_bytes in [64 << 10, 256 << 10, 1 << 20] {
            let sizes = sizes(&EngineConfig {
                page_bytes,
                ..EngineConfig::default()
            });
            let (mut used, mut taken) = (0.0, 0.0);
            for bytes in 48..=sizes.chunk_max() {
                let chunk = sizes.chunk_bytes(sizes.class_for(bytes).unwrap());
                let chunks = page_bytes / chunk;
                used += 1.0;
                taken += page_bytes as f64 / chunks as f64 / bytes as f64;
            }
            let lost = 1.0 - used / taken;
            assert!(lost < 0.05, "{page_bytes}: {lost}");
        }
    }

    #[test]
    fn configured_sizes_are_honoured() {
        let config = EngineConfig {
            slab_sizes: Some(vec![96, 50, 1000]),
            ..EngineConfig::default()
        };
        assert_eq!(sizes(&config).sizes, [256, 56, 96, 1000, 262_144]);
        let config = EngineConfig {
            growth_factor: Some(2.0),
            chunk_min: Some(50),
            ..EngineConfig::default()
        };
        assert_eq!(sizes(&config).sizes[..4], [256, 64, 128, 256]);
    }

    #[test]
    fn users_see_63_classes_in_order() {
        let sizes = sizes(&EngineConfig::default());
        let shown: Vec<u8> = (1..sizes.len() as u8)
            .map(|class| sizes.shown_id(class))
            .collect();
        assert!(shown.is_sorted());
        assert_eq!((shown.first(), shown.last()), (Some(&1), Some(&63)));
    }

    #[test]
    fn a_tiny_factor_ends() {
        let config = EngineConfig {
            growth_factor: Some(1.0001),
            ..EngineConfig::default()
        };
        assert_eq!(sizes(&config).len(), 1 + SHOWN_MAX);
    }
}
