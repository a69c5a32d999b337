//! From a configuration to a running server, and back: sets everything up, starts one executor per shard, waits for a
//! signal, ends in order.

mod driver;
mod engines;
mod prefault;
mod threads;

use std::sync::Arc;

use corecached_mesh::{loanable, spsc};
use tracing::info;

use crate::admission::Admission;
use crate::auth::Auth;
use crate::batch::BoxedBatch;
use crate::cell::ShardId;
use crate::cell::core::{Cells, Core};
use crate::crawler::Crawler;
use crate::error::StartError;
use crate::ground::Ground;
use crate::ground::config::Config;
use crate::ground::counters::Telemetry;
use crate::listen::{self, ListenerInfo, Listeners};
use crate::memory::Memory as SharedMemory;
use crate::memory_file::Memory;
use crate::process::{self, Reloads};
use crate::route::directory::Directory;
use crate::route::router::{PeerQueues, QUEUE_BATCHES, Router};
use crate::shard::{Listener, ShardParts};
use crate::shared::Shared;
use crate::tls::Tls;
use crate::watch::{Observer, Watch};
use engines::Engines;

/// Runs the server until a signal ends it.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub(crate) fn run(mut config: Config) -> Result<(), StartError> {
    driver::choose(&mut config)?;
    process::prepare(&mut config)?;
    let shards = config.threads;
    // Before the ports are bound, and as root: the key may be readable for nobody else.
    let tls = process::as_root_or_user(&config, || Tls::load(&config))?.map(Arc::new);
    let listeners = listen::bind(&config, shards)?;
    process::shut_at_failure(listeners.stream_descriptors());
    let Built {
        shared,
        mut parts,
        mut memory,
    } = build(config, tls, listeners.infos())?;
    for parts in &mut parts {
        let own = listeners.of_shard(usize::from(parts.id.0));
        parts.listeners = own.map(|(id, fd)| Listener { fd, id }).collect();
    }
    prefault::check(&shared)?;
    reload_certificates(&shared);
    let threads = threads::start(&shared, parts)?;
    process::started(&shared.ground.config, |file| {
        listen::write_port_file(file, &listeners)
    })?;
    threads.go();
    say_ready(&shared.ground.config, &listeners);
    process::serving(&shared.ground.config)?;
    let signal = process::wait_for_signal(&shared.reloads);
    info!(signal, "ending");
    shared.stop();
    listeners.shut();
    threads.join();
    listeners.close();
    if let Some(memory) = &mut memory
        && signal == process::GRACEFUL
    {
        engines::save(&shared, memory);
    }
    process::ended(&shared.ground.config);
    Ok(())
}

/// Who has started it in the foreground is told where it is; a daemon goes as silently as memcached.
fn say_ready(config: &Config, listeners: &Listeners) {
    if config.daemonize && config.verbosity == 0 {
        return;
    }
    process::say(listeners.ready_line(config));
    if let Some(line) = listeners.loopback_line(config) {
        process::say(line);
    }
}

/// Has the certificates read again at SIGHUP.
fn reload_certificates(shared: &Arc<Shared>) {
    let Some(tls) = &shared.admission.tls else {
        return;
    };
    tls.read_at(shared.ground.clock.now().0);
    // Weak, since `shared` owns what is subscribed.
    let shared_later = Arc::downgrade(shared);
    shared.reloads.subscribe("certificates", move || {
        let Some(shared) = shared_later.upgrade() else {
            return Ok(());
        };
        match &shared.admission.tls {
            Some(tls) => tls.refresh(shared.ground.clock.now().0),
            None => Ok(()),
        }
    });
}

/// A server that is ready to be started.
pub(crate) struct Built {
    /// What all shards share.
    pub(crate) shared: Arc<Shared>,
    /// The shards, without sockets.
    pub(crate) parts: Vec<ShardParts>,
    /// The file of `-e`.
    memory: Option<Memory>,
}

/// Makes the shards' parts and what they share.
///
/// # Errors
/// If memory cannot be had, or a file of the configuration not be used.
pub(crate) fn build(
    config: Config,
    tls: Option<Arc<Tls>>,
    listeners: Vec<ListenerInfo>,
) -> Result<Built, StartError> {
    let shards = config.threads;
    let auth = process::as_root_or_user(&config, || {
        Auth::open(&config.authentication).map_err(StartError::Message)
    })?;
    let auth = auth.map(Arc::new);
    let Engines {
        engines,
        budget,
        hasher,
        clock,
        memory,
    } = make_engines(&config)?;
    let watch = Arc::new(Watch::new(&config));
    let mut requests = queues(shards);
    let mut replies = queues(shards);
    let mut owners = Vec::new();
    let mut cores = Vec::new();
    for (shard, engine) in engines.into_iter().enumerate() {
        let inbound = requests.consumers[shard].drain(..).collect();
        let (owner, core) = loanable(Core {
            engine,
            observer: Observer::new(Arc::clone(&watch)),
            inbound,
        });
        owners.push(owner);
        cores.push(core);
    }
    let shared = Arc::new(Shared {
        cells: Cells::new(cores),
        route: Directory::new(shards),
        memory: SharedMemory::new(budget, shards),
        admission: Admission::new(listeners, auth, tls, config.conn_limit, shards),
        telemetry: Telemetry::new(shards),
        crawler: Crawler::default(),
        watch,
        ground: Ground::new(config, clock, hasher),
        reloads: Reloads::default(),
    });
    reload_passwords(&shared);
    let parts = owners.into_iter().enumerate().map(|(shard, owner)| {
        let router = Router::new(
            ShardId(shard as u16),
            peers(shard, shards, &mut requests, &mut replies),
        );
        ShardParts {
            id: ShardId(shard as u16),
            owner,
            router,
            listeners: Vec::new(),
        }
    });
    let parts = parts.collect();
    Ok(Built {
        shared,
        parts,
        memory,
    })
}

/// SIGHUP reads the password file again.
fn reload_passwords(shared: &Shared) {
    if let Some(auth) = &shared.admission.auth {
        let auth = Arc::clone(auth);
        let reload = move || auth.reload();
        shared.reloads.subscribe("password file", reload);
    }
}

/// The file of `-e` is the user's, like all that the server writes.
fn make_engines(config: &Config) -> Result<Engines, StartError> {
    match config.memory_file {
        Some(_) => process::as_user_or_root(config, || engines::make(config)),
        None => engines::make(config),
    }
}

/// A queue from every shard to every other, its ends sorted by who holds them.
struct Queues {
    /// By sender, then by receiver.
    producers: Vec<Vec<Option<spsc::Producer<BoxedBatch>>>>,
    /// By receiver, then by sender.
    consumers: Vec<Vec<spsc::Consumer<BoxedBatch>>>,
}

fn queues(shards: usize) -> Queues {
    let mut producers: Vec<Vec<_>> = (0..shards).map(|_| Vec::with_capacity(shards)).collect();
    let mut consumers: Vec<Vec<_>> = (0..shards).map(|_| Vec::with_capacity(shards)).collect();
    for from in producers.iter_mut() {
        for to in consumers.iter_mut() {
            let (producer, consumer) = spsc::channel(QUEUE_BATCHES);
            from.push(Some(producer));
            to.push(consumer);
        }
    }
    Queues {
        producers,
        consumers,
    }
}

/// The ends of the queues that shard `me` holds, but for those inside its core.
fn peers(
    me: usize,
    shards: usize,
    requests: &mut Queues,
    replies: &mut Queues,
) -> Vec<Option<PeerQueues>> {
    let replies_to_me = std::mem::take(&mut replies.consumers[me]);
    let ends =
        replies_to_me
            .into_iter()
            .enumerate()
            .take(shards)
            .map(|(peer, replies_from_peer)| {
                let requests = requests.producers[me][peer].take();
                let answers = replies.producers[me][peer].take();
                if peer == me {
                    return None;
                }
                Some(PeerQueues {
                    requests: requests?,
                    replies: replies_from_peer,
                    answers: answers?,
                })
            });
    ends.collect()
}
