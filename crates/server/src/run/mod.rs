//! From a configuration to a running server, and back: sets everything up, starts one executor per shard, waits for a
//! signal, ends in order.

mod driver;
mod engines;
mod prefault;
mod threads;

use std::sync::Arc;

use corecached_engine::Engine;
use corecached_mesh::{loanable, spsc};
use tracing::info;

use crate::admission::Admission;
use crate::auth::Auth;
use crate::cell::ShardId;
use crate::cell::batch::BoxedBatch;
use crate::cell::core::{Cells, Core};
use crate::cell::observer::Observer;
use crate::crawler::Crawler;
use crate::error::StartError;
use crate::ground::Ground;
use crate::ground::config::Config;
use crate::ground::counters::Telemetry;
use crate::listen::{self, ListenerInfo, Listeners};
use crate::memory::Memory as SharedMemory;
use crate::memory_file::Memory;
use crate::process::{self, Cpus, Reloads};
use crate::route::directory::Directory;
use crate::route::router::{PeerQueues, QUEUE_BATCHES, Router};
use crate::shard::{Listener, ShardParts};
use crate::shared::Shared;
use crate::tls::Tls;
use crate::watch::Watch;
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
    // Claimed until the end.
    let cpus = Cpus::choose(&shared.ground.config);
    let threads = threads::start(&shared, parts, &cpus)?;
    process::started(&shared.ground.config, |file| {
        listen::write_port_file(file, &listeners)
    })?;
    threads.go();
    say_ready(&shared.ground.config, &listeners);
    process::serving(&shared.ground.config)?;
    process::tell_ready();
    let signal = process::wait_for_signal(&shared.reloads);
    info!(signal, "ending");
    process::tell_stopping();
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

/// Tells the one who has started it where it is. A daemon goes as silently as memcached, but for the line that is said at every
/// start without `-l`: whoever comes from memcached expects all addresses then.
fn say_ready(config: &Config, listeners: &Listeners) {
    if !config.daemonize || config.verbosity > 0 {
        process::say(listeners.ready_line(config));
    }
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
    let (mut owners, mut cores, mut routers) = (Vec::new(), Vec::new(), Vec::new());
    let readers: Vec<_> = engines.iter().map(Engine::reader).collect();
    for (engine, wires) in engines.into_iter().zip(wires(shards)) {
        let (owner, core) = loanable(Core {
            engine,
            observer: Observer::new(Arc::clone(&watch)),
            inbound: wires.inbound,
        });
        owners.push(owner);
        cores.push(core);
        routers.push(Router::new(wires.id, wires.peers, &readers));
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
    let ends = owners.into_iter().zip(routers).zip(shared.route.ids());
    let parts = ends.map(|((owner, router), id)| ShardParts {
        id,
        owner,
        router,
        listeners: Vec::new(),
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

/// The ends of queues that one shard holds.
struct Wires {
    id: ShardId,
    /// What the others ask of it, by the shard that asks; its own place is unused.
    inbound: Vec<spsc::Consumer<BoxedBatch>>,
    /// What it asks of them and answers, by shard; `None` for itself.
    peers: Vec<Option<PeerQueues>>,
}

/// A queue for requests and one for replies from every shard to every other; the ends by the shard that holds them.
fn wires(shards: usize) -> Vec<Wires> {
    let mut requests = queues(shards);
    let mut replies = queues(shards);
    let ids = (0..shards as u16).map(ShardId);
    let of_shard = ids.map(|id| {
        let me = usize::from(id.0);
        let sent = requests.producers[me].drain(..);
        let received = replies.consumers[me].drain(..);
        let answered = replies.producers[me].drain(..);
        let ends = sent.zip(received).zip(answered).enumerate();
        let peers = ends.map(|(peer, ((requests, replies), answers))| {
            (peer != me).then_some(PeerQueues {
                requests,
                replies,
                answers,
            })
        });
        Wires {
            id,
            peers: peers.collect(),
            inbound: requests.consumers[me].drain(..).collect(),
        }
    });
    of_shard.collect()
}

/// A queue from every shard to every other.
struct Queues {
    /// By sender, then by receiver.
    producers: Vec<Vec<spsc::Producer<BoxedBatch>>>,
    /// By receiver, then by sender.
    consumers: Vec<Vec<spsc::Consumer<BoxedBatch>>>,
}

fn queues(shards: usize) -> Queues {
    let mut producers: Vec<Vec<_>> = (0..shards).map(|_| Vec::with_capacity(shards)).collect();
    let mut consumers: Vec<Vec<_>> = (0..shards).map(|_| Vec::with_capacity(shards)).collect();
    for from in &mut producers {
        for to in &mut consumers {
            let (producer, consumer) = spsc::channel(QUEUE_BATCHES);
            from.push(producer);
            to.push(consumer);
        }
    }
    Queues {
        producers,
        consumers,
    }
}
