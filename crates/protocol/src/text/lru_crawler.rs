//! `lru_crawler enable|disable|sleep|tocrawl|crawl|metadump|mgdump`.

use crate::number::strict_u32;
use crate::reply;
use crate::words::Words;

/// Slab classes are numbered below this.
const CLASSES_END: u32 = 64;
/// Bytes of a list of classes that memcached looks at.
const LIST_BYTES_MAX: usize = 511;
/// The longest sleep, in microseconds.
const SLEEP_MAX: u32 = 1_000_000;

/// The forms of `lru_crawler`. Words may be cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlerRequest {
    /// `enable`.
    Enable,
    /// `disable`.
    Disable,
    /// `sleep`, in microseconds.
    Sleep(u32),
    /// `tocrawl`: items to look at, 0 is all.
    ToCrawl(u32),
    /// `crawl`: look for dead items now.
    Crawl(CrawlTarget),
    /// `metadump`: a line of properties for each item.
    Metadump(CrawlTarget),
    /// `mgdump`: an `mg` command for each item.
    Mgdump(CrawlTarget),
}

/// The items that a crawl looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlTarget {
    /// Every item, in the order of the hash table.
    Hash,
    /// The items of these slab classes, a bit each.
    Classes(u64),
    /// The list names a class that cannot exist; this is reported only after the other reasons not to crawl.
    BadClass,
}

impl CrawlTarget {
    /// All slab classes.
    pub const ALL: CrawlTarget = CrawlTarget::Classes(u64::MAX);

    fn parse(word: &[u8]) -> CrawlTarget {
        let list = &word[..word.len().min(LIST_BYTES_MAX)];
        match list {
            b"all" => return Self::ALL,
            b"hash" => return Self::Hash,
            _ => {}
        }
        let mut classes = 0;
        for class in list.split(|&byte| byte == b',') {
            match strict_u32(class) {
                Some(id @ 1..CLASSES_END) => classes |= 1 << id,
                None if class.is_empty() => {}
                _ => return CrawlTarget::BadClass,
            }
        }
        CrawlTarget::Classes(classes)
    }

    /// The wanted classes, a bit each.
    #[must_use]
    pub const fn classes(self) -> u64 {
        match self {
            CrawlTarget::Hash => u64::MAX,
            CrawlTarget::Classes(classes) => classes,
            CrawlTarget::BadClass => 0,
        }
    }
}

/// Parses what follows the command word; the error is the reply line.
pub(super) fn parse(rest: &[u8]) -> Result<CrawlerRequest, &'static [u8]> {
    let mut words = Words::new(rest);
    match (words.next(), words.next(), words.next()) {
        (Some(word), None, _) => switch(word),
        (Some(word), Some(value), None) => with_value(word, value),
        _ => Err(reply::ERROR),
    }
}

fn switch(word: &[u8]) -> Result<CrawlerRequest, &'static [u8]> {
    if b"enable".starts_with(word) {
        Ok(CrawlerRequest::Enable)
    } else if b"disable".starts_with(word) {
        Ok(CrawlerRequest::Disable)
    } else {
        Err(reply::ERROR)
    }
}

fn with_value(word: &[u8], value: &[u8]) -> Result<CrawlerRequest, &'static [u8]> {
    let number = || strict_u32(value).ok_or(reply::BAD_FORMAT);
    if b"crawl".starts_with(word) {
        Ok(CrawlerRequest::Crawl(CrawlTarget::parse(value)))
    } else if b"metadump".starts_with(word) {
        Ok(CrawlerRequest::Metadump(CrawlTarget::parse(value)))
    } else if b"mgdump".starts_with(word) {
        Ok(CrawlerRequest::Mgdump(CrawlTarget::parse(value)))
    } else if b"tocrawl".starts_with(word) {
        Ok(CrawlerRequest::ToCrawl(number()?))
    } else if b"sleep".starts_with(word) {
        match number()? {
            microseconds @ 0..=SLEEP_MAX => Ok(CrawlerRequest::Sleep(microseconds)),
            _ => Err(reply::CRAWLER_SLEEP),
        }
    } else {
        Err(reply::ERROR)
    }
}
