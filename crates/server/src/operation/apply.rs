//! Operations on a key as calls of the engine, without observation.

use corecached_engine::{Engine, Fetch, Lookup, Seconds, Store, StoreOutcome};

use super::op::{Change, Op};
use super::outcome::{Changed, Outcome};

/// Looks an item up.
#[inline]
pub(super) fn look_up<'e>(
    engine: &'e mut Engine,
    op: &Op<'_>,
    fetch: Fetch,
    now: Seconds,
) -> Outcome<'e> {
    match engine.fetch(op.key, op.hash, now, fetch) {
        Lookup::Hit(hit) => Outcome::Hit(hit),
        Lookup::Miss => Outcome::Miss,
        Lookup::OutOfMemory(hit) => Outcome::OutOfMemory(hit),
    }
}

/// Changes an item.
#[inline]
pub(super) fn apply(
    engine: &mut Engine,
    op: &Op<'_>,
    change: &Change<'_>,
    now: Seconds,
) -> Changed {
    let &Op { key, hash, .. } = op;
    match *change {
        Change::Store {
            mode,
            client_flags,
            deadline,
            extras,
            value,
        } => {
            let store = Store {
                mode,
                key,
                hash,
                client_flags,
                deadline,
                extras,
                value,
            };
            Changed::Stored(engine.store(&store, now))
        }
        Change::Commit {
            staged,
            mode,
            extras,
            ..
        } => Changed::Stored(match engine.take_staged(staged) {
            Some(staged) => engine.commit(staged, mode, &extras, now),
            None => StoreOutcome::OutOfMemory,
        }),
        Change::Refuse { drops_old, why, .. } => {
            engine.refuse_store(why);
            if drops_old {
                engine.drop_old(key, hash, now);
            }
            Changed::Refused(why)
        }
        Change::Delete { delete, .. } => Changed::Deleted(engine.delete(key, hash, &delete, now)),
        Change::Arith(arith) => Changed::Counted(engine.arith(key, hash, &arith, now)),
        Change::Touch { deadline } => Changed::Touched(engine.touch(key, hash, deadline, now)),
    }
}
