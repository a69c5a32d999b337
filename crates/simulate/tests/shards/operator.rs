//! Commands of an operator, and how their replies begin.

use corecached_simulate::Rng;

use crate::memory::Memory;

type Command = (&'static str, &'static [&'static str]);

/// Commands that change nothing of the contents, whatever the memory.
const HARMLESS: [Command; 16] = [
    ("verbosity 1", &["OK"]),
    ("verbosity 0", &["OK"]),
    ("slabs reassign -1 0", REASSIGNED),
    ("slabs reassign -1 5", REASSIGNED),
    ("slabs reassign 3 7", REASSIGNED),
    ("slabs reassign 0 9", REASSIGNED),
    ("slabs automove 0", &["OK"]),
    ("slabs automove 1", &["OK"]),
    ("lru tune 10 20 0.3 3.0", &["OK"]),
    ("lru mode flat", &["OK"]),
    ("lru_crawler crawl all", &["OK", "BUSY"]),
    ("stats", &[]),
    ("stats reset", &["RESET"]),
    ("stats items", &[]),
    ("stats slabs", &[]),
    ("stats shards", &[]),
];

const REASSIGNED: &[&str] = &["OK", "NOSPARE", "BUSY", "BADCLASS", "SAME"];

/// Limits for a server that has 8 MiB.
const LIMITS: [Command; 4] = [
    ("cache_memlimit 8", &["OK"]),
    ("cache_memlimit 9", &["OK"]),
    ("cache_memlimit 12", &["OK"]),
    ("cache_memlimit 1", &["MEMLIMIT_TOO_SMALL"]),
];

/// Limits for a server with room for all.
const ROOMY_LIMITS: [Command; 2] = [
    ("cache_memlimit 256", &["OK"]),
    ("cache_memlimit 300", &["OK"]),
];

pub(crate) fn choose(memory: Memory, rng: &mut Rng) -> Command {
    match memory {
        Memory::Eight if rng.one_in(3) => rng.one_of(&LIMITS),
        Memory::Plenty if rng.one_in(8) => rng.one_of(&ROOMY_LIMITS),
        _ => rng.one_of(&HARMLESS),
    }
}
