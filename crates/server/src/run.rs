//! From a configuration to a running server, and back: sets everything up, starts one executor per shard, waits for a
//! signal, ends in order.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Barrier};

use corecached_mesh::{loanable, spsc};
use corecached_reactor::{Reactor, ReactorConfig};
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use tracing::{info, warn};

use crate::auth::Auth;
use crate::batch::BoxedBatch;
use crate::config::Config;
use crate::crawler::Crawler;
use crate::engines::{self, Engines};
use crate::error::StartError;
use crate::listen::{self, ListenerInfo};
use crate::memory_file::Memory;
use crate::prefault;
use crate::process::{self, Reloads};
use crate::shard::core::Core;
use crate::shard::router::{PeerQueues, QUEUE_BATCHES, Router};
use crate::shard::{Listener, Shard, ShardId, ShardParts};
use crate::shared::{Links, ShardHandle, Shared};
use crate::tls::Tls;
use crate::tuning::Tuning;
use crate::watch::{Observer, Watch};

/// glommio sets memory aside for registered buffers, which the data path here does not use: as little as it takes.
const EXECUTOR_IO_MEMORY: usize = 64 * 1024;
/// Entries of each of glommio's rings; it serves timers and the eventfd only.
const EXECUTOR_RING_DEPTH: usize = 64;

/// Runs the server until a signal ends it.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub(crate) fn run(config: Config) -> Result<(), StartError> {
    corecached_reactor::probe()?;
    process::prepare(&config)?;
    let shards = config.threads;
    // Before the ports are bound, and as root: the key may be readable for nobody else.
    let tls = Tls::load(&config)?.map(Arc::new);
    let listeners = listen::bind(&config, shards)?;
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
    let executors = start(&shared, parts)?;
    process::started(&shared.config, &listeners)?;
    info!(shards, "corecached is ready");
    let signal = process::wait_for_signal(&shared.reloads);
    info!(signal, "ending");
    shared.stop();
    for executor in executors {
        if let Ok(Err(error)) = executor.join() {
            warn!("a shard ended early: {error}");
        }
    }
    if let Some(memory) = &mut memory
        && signal == process::GRACEFUL
    {
        engines::save(&shared, memory);
    }
    process::ended(&shared.config);
    Ok(())
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
    let auth = Auth::open(&config.authentication).map_err(StartError::Message)?;
    let auth = auth.map(Arc::new);
    let Engines {
        engines,
        budget,
        hasher,
        clock,
        memory,
    } = engines::make(&config)?;
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
        page_requests: AtomicU64::new(0),
        cmd_flush: AtomicU64::new(0),
        auth,
        tls,
        reloads: Reloads::default(),
    });
    if let Some(auth) = &shared.auth {
        let auth = Arc::clone(auth);
        let reload = move || auth.reload();
        shared.reloads.subscribe("password file", reload);
    }
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

/// Starts an executor for each shard and waits until all rings exist; only then privileges may be dropped.
fn start(
    shared: &Arc<Shared>,
    parts: Vec<ShardParts>,
) -> Result<Vec<ExecutorJoinHandle<std::io::Result<()>>>, StartError> {
    let everyone = Arc::new(Barrier::new(parts.len()));
    let (report, reports) = mpsc::channel();
    let shards = parts.len();
    let mut executors = Vec::with_capacity(shards);
    for parts in parts {
        let (shared, report, everyone) =
            (Arc::clone(shared), report.clone(), Arc::clone(&everyone));
        let builder = LocalExecutorBuilder::new(placement(&shared.config, parts.id))
            .name(&format!("shard-{}", parts.id.0))
            .io_memory(EXECUTOR_IO_MEMORY)
            .ring_depth(EXECUTOR_RING_DEPTH);
        let handle = builder
            .spawn(move || async move { shard_main(parts, shared, &report, &everyone).await });
        executors.push(handle.map_err(|error| StartError::Executor(error.to_string()))?);
    }
    for _ in 0..shards {
        reports
            .recv()
            .map_err(|_| StartError::Executor("a shard's thread died".into()))??;
    }
    Ok(executors)
}

/// With a CPU for each shard, shards are pinned; with fewer, the scheduler places them.
fn placement(config: &Config, shard: ShardId) -> Placement {
    match config.cpus.get(usize::from(shard.0)) {
        Some(&cpu) if config.threads <= config.cpus.len() => Placement::Fixed(cpu),
        _ => Placement::Unbound,
    }
}

/// Has the shard's memory come from where this thread, the shard's own, runs; with `-o prefault`, now.
fn place_memory(shared: &Shared, shard: ShardId) -> Result<(), StartError> {
    let Some(mut core) = shared.shard(shard).core.try_borrow() else {
        debug_assert!(false, "nobody borrows before everybody has started");
        return Ok(());
    };
    if let Placement::Fixed(_) = placement(&shared.config, shard) {
        core.engine.prefer_this_node();
    }
    prefault::populate(&shared.config, &mut core.engine)
}

async fn shard_main(
    parts: ShardParts,
    shared: Arc<Shared>,
    report: &Sender<Result<(), StartError>>,
    everyone: &Barrier,
) -> std::io::Result<()> {
    process::ask_for_short_slice();
    let reactor = match Reactor::new(&ReactorConfig::default()) {
        Ok(reactor) => reactor,
        Err(error) => {
            let _ = report.send(Err(error.into()));
            return Ok(());
        }
    };
    let links = Links {
        doorbell: reactor.doorbell_target(),
        waker: reactor.waker(),
    };
    let first = shared.shard(parts.id).links.set(links).is_ok();
    debug_assert!(first, "a shard starts once");
    let placed = place_memory(&shared, parts.id);
    let is_placed = placed.is_ok();
    let _ = report.send(placed);
    if !is_placed {
        return Ok(());
    }
    // Nobody routes before everybody can be woken.
    everyone.wait();
    Shard::new(parts, shared, reactor).serve().await
}
