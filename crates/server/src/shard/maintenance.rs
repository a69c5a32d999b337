//! Upkeep of a shard's engine: the background sweep of expired items, pages between classes, memory given back.
//!
//! A glommio task of the shard's own executor, in a queue with few shares. It never holds the engine across an await, and
//! borrows it as a peer would; since it runs on the owner's thread, only another shard's loan can be in its way.

use std::sync::Arc;
use std::time::Duration;

use glommio::timer::sleep;
use glommio::{Latency, Shares};

use crate::control::Control;
use crate::shared::Shared;

use super::ShardId;

/// Between two rounds of upkeep.
const ROUND: Duration = Duration::from_secs(1);
/// Between two steps of one round that has more to do.
const PAUSE: Duration = Duration::from_millis(1);
/// Items looked at in one step of the sweep; some 50 us.
const SWEEP_ITEMS: usize = 512;
/// Steps of one round, a bound for its share of the core (100 steps of 50 us a second are 0.5%).
const STEPS_MAX: usize = 100;
/// Pages given back in one step while the limit is exceeded.
const TRIM_PAGES: usize = 1;
/// Shares of the queue, beside 1000 of the network loop.
const SHARES: usize = 50;

/// Starts the task on this executor.
pub(super) fn spawn(shared: Arc<Shared>, id: ShardId) {
    let queue = glommio::executor().create_task_queue(
        Shares::Static(SHARES),
        Latency::NotImportant,
        "maintenance",
    );
    let task = async move {
        while !shared.is_stopping() {
            sleep(ROUND).await;
            round(&shared, id).await;
            shared.shard(id).post(Control::Second);
        }
    };
    if let Ok(task) = glommio::spawn_local_into(task, queue) {
        task.detach();
    }
}

async fn round(shared: &Shared, id: ShardId) {
    for _ in 0..STEPS_MAX {
        if shared.is_stopping() || !step(shared, id) {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// One bounded step; `true` if there is more to do.
fn step(shared: &Shared, id: ShardId) -> bool {
    let Some(mut core) = shared.shard(id).core.try_borrow() else {
        return true;
    };
    let now = shared.clock.now();
    core.engine.maintain(now);
    let over_limit = core.engine.trim(TRIM_PAGES);
    let swept_all = core.engine.sweep(now, SWEEP_ITEMS).wrapped;
    over_limit || !swept_all
}
