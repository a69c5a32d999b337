//! From a configuration to a running server, and back: sets everything up, starts one executor per shard, waits for a
//! signal, ends in order.

mod driver;
mod engines;
mod prefault;
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};

use corecached_mesh::{loanable, spsc};
use tracing::info;

use crate::auth::Auth;
use crate::batch::BoxedBatch;
use crate::cell::ShardId;
use crate::cell::core::Core;
use crate::crawler::Crawler;
use crate::error::StartError;
use crate::ground::config::Config;
use crate::ground::tuning::Tuning;
use crate::listen::{self, ListenerInfo, Listeners};
use crate::memory_file::Memory;
use crate::process::{self, Reloads};
use crate::route::directory::ShardHandle;
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
    process::started(&shared.config, |file| {
        listen::write_port_file(file, &listeners)
    })?;
    threads.go();
    say_ready(&shared.config, &listeners);
    process::serving(&shared.config)?;
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
    process::ended(&shared.config);
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
    let Some(tls) = &shared.tls else { return };
    tls.read_at(shared.clock.now().0);
    // Weak, since `shared` owns what is subscribed.
    let shared_later = Arc::downgrade(shared);
    shared.reloads.subscribe("certificates", move || {
        let Some(shared) = shared_later.upgrade() else {
            return Ok(());
        };
        match &shared.tls {
            Some(tls) => tls.refresh(shared.clock.now().0),
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
    let mut handles = Vec::new();
    for (shard, engine) in engines.into_iter().enumerate() {
        let inbound = requests.consumers[shard].drain(..).collect();
        let (owner, core) = loanable(Core {
            engine,
            observer: Observer::new(Arc::clone(&watch)),
            inbound,
        });
        owners.push(owner);
        handles.push(ShardHandle::new(core));
    }
    let shared = Arc::new(Shared {
        verbosity: AtomicU8::new(config.verbosity),
        tuning: Tuning::new(&config),
        crawler: Crawler::default(),
        watch,
        config,
        listeners,
        budget,
        hasher,
        clock,
        shards: handles,
        stopping: AtomicBool::new(false),
        connections: AtomicU64::new(0),
        deaf_shards: AtomicU64::new(0),
        uploads: Arc::default(),
        page_requests: AtomicU64::new(0),
        cmd_flush: AtomicU64::new(0),
        auth,
        tls,
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
    if let Some(auth) = &shared.auth {
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
