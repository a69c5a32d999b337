//! One step of a walk over a shard's items. The caller decides which facts of an item are shown, and how.

use corecached_engine::{PageCursor, WalkCursor, WalkedItem};

use super::access::Access;

/// Items that one step looks at: some 10 to 30 us. So much a step delays a request that comes at the same time
/// (docs/benchmarks.md).
const STEP_ITEMS: usize = 64;
/// Chunks that one step looks at when it walks pages: each costs fewer cache misses, and most chunks of a class may be
/// free.
const STEP_CHUNKS: usize = 128;

/// The point that a walk has reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Among all items of a shard.
    Items(WalkCursor),
    /// Among the items of a few classes.
    Pages(PageCursor),
    /// A number, in a walk over connections or prefixes.
    Number(u32),
}

/// One step of a walk over one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalkStep {
    /// The point that the walk has reached.
    pub(crate) place: Place,
    /// The slab classes that are shown, a bit each.
    pub(crate) classes: u64,
}

/// Takes a step. Returns where the next step begins; `None` when all of the shard has been shown.
///
/// `show` returns whether more items are wanted.
pub(crate) fn walk(
    access: &mut Access<'_>,
    step: &WalkStep,
    mut show: impl FnMut(&WalkedItem<'_>) -> bool,
) -> Option<Place> {
    let (engine, now) = (&mut *access.engine, access.now);
    match step.place {
        Place::Items(mut cursor) => engine
            .walk(&mut cursor, now, STEP_ITEMS, |item| {
                if step.classes >> (item.class_id & 63) & 1 != 0 {
                    show(item);
                }
            })
            .then_some(Place::Items(cursor)),
        Place::Pages(mut cursor) => engine
            .walk_pages(&mut cursor, step.classes, now, STEP_CHUNKS, show)
            .then_some(Place::Pages(cursor)),
        // Connections and prefixes are not items.
        Place::Number(_) => None,
    }
}
