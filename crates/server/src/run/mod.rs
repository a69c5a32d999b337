//! Makes a running server out of a configuration: sets everything up, starts one executor per shard, waits for a
//! signal, and ends in order.

mod driver;
mod engines;
mod prefault;
mod stuck;
mod threads;

use std::sync::Arc;

use corecached_engine::Engine;
use corecached_mesh::{loanable, spsc};
use tracing::info;

use crate::admission::Admission;
use crate::auth::Auth;
use crate::base::Globals;
use crate::base::config::Config;
use crate::base::counters::Telemetry;
use crate::crawler::Crawler;
use crate::error::StartError;
use crate::ids::ShardId;
use crate::insight::Insight;
use crate::latency::Latency;
use crate::lending::batch::BoxedBatch;
use crate::lending::core::{Core, Cores};
use crate::listen::{self, ListenerInfo, Listeners};
use crate::memory::Memory;
use crate::memory_file::RestartFiles;
use crate::metrics;
use crate::operation::observer::Observer;
use crate::operation::readers::Readers;
use crate::process::{self, Cpus, Reloads};
use crate::route::directory::Directory;
use crate::route::exchange::QUEUE_BATCHES;
use crate::route::peer::PeerQueues;
use crate::route::router::Router;
use crate::shard::{Listener, ShardParts};
use crate::shared::Shared;
use crate::tls::Tls;
use crate::watch::Watch;
use engines::Engines;

/// Runs the server until a signal ends it.
///
/// # Errors
/// The reason why it cannot start, with the remedy.
pub(crate) fn run(mut config: Config) -> Result<(), StartError> {
    driver::choose(&mut config)?;
    process::prepare(&mut config)?;
    let shards = config.threads;
    // This is done before the ports are bound, and as root: perhaps only root may read the key.
    let tls = process::as_root_or_user(&config, || Tls::load(&config))?.map(Arc::new);
    let listeners = listen::bind(&config, shards)?;
    let metrics = listen::bind_metrics(&config, &listeners)?;
    process::shut_at_failure(listeners.stream_descriptors());
    let Built {
        shared,
        mut parts,
        mut restart_files,
    } = build(config, tls, listeners.infos())?;
    for parts in &mut parts {
        let own = listeners.of_shard(usize::from(parts.id.0));
        parts.listeners = own.map(|(id, fd)| Listener { fd, id }).collect();
    }
    prefault::check(&shared)?;
    reload_certificates(&shared);
    // The CPUs are claimed until the end.
    let cpus = Cpus::choose(&shared.globals.config);
    if let Some(listener) = metrics {
        metrics::start(listener, &shared)?;
    }
    let threads = threads::start(&shared, parts, &cpus)?;
    process::started(&shared.globals.config, |file| {
        listen::write_port_file(file, &listeners)
    })?;
    threads.go();
    say_ready(&shared.globals.config, &listeners);
    process::serving(&shared.globals.config)?;
    process::tell_ready();
    let signal = process::wait_for_signal(&shared.reloads);
    info!(signal, "ending");
    process::tell_stopping();
    shared.stop();
    listeners.shut();
    threads.join(&shared);
    listeners.close();
    if let Some(files) = &mut restart_files
        && signal == process::GRACEFUL
    {
        engines::save(&shared, files);
    }
    process::ended(&shared.globals.config);
    Ok(())
}

/// Reports the addresses of the server when it is ready. A daemon is as silent as memcached, except for the line about
/// a start without `-l`: a user of memcached expects all addresses then.
fn say_ready(config: &Config, listeners: &Listeners) {
    if !config.daemonize || config.verbosity > 0 {
        process::say(listeners.ready_line(config));
    }
    if let Some(line) = listeners.loopback_line(config) {
        process::say(line);
    }
}

/// Makes SIGHUP read the certificates again.
fn reload_certificates(shared: &Arc<Shared>) {
    let Some(tls) = &shared.admission.tls else {
        return;
    };
    tls.read_at(shared.globals.clock.now().0);
    // A weak reference, since `shared` owns the subscriptions.
    let shared_later = Arc::downgrade(shared);
    shared.reloads.subscribe("certificates", move || {
        let Some(shared) = shared_later.upgrade() else {
            return Ok(());
        };
        match &shared.admission.tls {
            Some(tls) => tls.refresh(shared.globals.clock.now().0),
            None => Ok(()),
        }
    });
}

/// A server that is ready to be started.
pub(crate) struct Built {
    /// The state that all shards share.
    pub(crate) shared: Arc<Shared>,
    /// The shards, without sockets.
    pub(crate) parts: Vec<ShardParts>,
    /// The file of `-e`.
    restart_files: Option<RestartFiles>,
}

/// Makes the shards' parts and the state that they share.
///
/// # Errors
/// If memory is not available, or a file of the configuration cannot be used.
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
        restart_files,
    } = make_engines(&config)?;
    let watch = Arc::new(Watch::new(&config));
    let (mut owners, mut cores, mut routers) = (Vec::new(), Vec::new(), Vec::new());
    let readers = Readers::new(engines.iter().map(Engine::reader));
    let (insight, samplers) = Insight::new(&config, hasher.seed());
    let engines = engines.into_iter().zip(samplers);
    for ((engine, sampler), wires) in engines.zip(wires(shards)) {
        let (owner, core) = loanable(Core {
            engine,
            observer: Observer::new(Arc::clone(&watch), sampler),
            inbound: wires.inbound,
        });
        owners.push(owner);
        cores.push(core);
        routers.push(Router::new(wires.id, wires.peers));
    }
    let shared = Arc::new(Shared {
        cores: Cores::new(cores),
        readers,
        route: Directory::new(shards),
        memory: Memory::new(budget, shards),
        admission: Admission::new(listeners, auth, tls, config.conn_limit, shards),
        telemetry: Telemetry::new(shards),
        latency: Latency::new(shards, config.measures_latency()),
        crawler: Crawler::default(),
        insight,
        watch,
        globals: Globals::new(config, clock, hasher),
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
        restart_files,
    })
}

/// Makes SIGHUP read the password file again.
fn reload_passwords(shared: &Shared) {
    if let Some(auth) = &shared.admission.auth {
        let auth = Arc::clone(auth);
        let reload = move || auth.reload();
        shared.reloads.subscribe("password file", reload);
    }
}

/// Makes the engines with the user's rights: the file of `-e` belongs to that user, like all files that the server
/// writes.
fn make_engines(config: &Config) -> Result<Engines, StartError> {
    match config.memory_file {
        Some(_) => process::as_user_or_root(config, || engines::make(config)),
        None => engines::make(config),
    }
}

/// The ends of the queues that one shard holds.
struct Wires {
    id: ShardId,
    /// The requests of other shards, by the shard that asks; the shard's own place is unused.
    inbound: Vec<spsc::Consumer<BoxedBatch>>,
    /// The queues to each other shard, by shard; `None` for the shard itself.
    peers: Vec<Option<PeerQueues>>,
}

/// Makes a queue for requests and one for replies from every shard to every other. Returns the ends by the shard that
/// holds them.
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
