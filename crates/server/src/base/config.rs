//! The settings of the server, typed: they are the result of the command line, and the rest of the program knows
//! nothing else of it.
//!
//! A setting has memcached's default unless its comment says otherwise. Some settings exist only so that a unit file
//! written for memcached starts the server, and so that `stats settings` shows what was asked for: their comment says
//! "no effect".

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use corecached_reactor::Io;

use super::cpus::{self, Pinning};
use super::listeners::{BindingProtocol, ListenAddress, Port, TlsKind, UdpLimits};
use super::ssl::SslOptions;

/// memcached's slab page, which limits the size of a chunk. The engine may choose smaller pages for small `-m`.
pub(crate) const SLAB_PAGE_BYTES: u64 = 1024 * 1024;
/// Most memory of a shard, in bytes: it names its chunks by 32 bits.
pub(crate) const SHARD_BYTES_MAX: u64 = 32 << 30;
/// The engine's only policy, as `-o eviction` calls it.
pub(crate) const EVICTION: &str = "s3fifo";
/// The port that memcached clients try first.
pub(crate) const DEFAULT_PORT: u16 = 11211;

/// All settings of one server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    // Sockets.
    /// `-p`. The TCP port of all addresses that do not name their own.
    pub(crate) tcp_port: Port,
    /// `-o shard_port`, our own. The port of shard-aware clients, on the same addresses; 0 = none.
    pub(crate) shard_port: u16,
    /// `-o metrics`, our own. Where metrics and health are told by HTTP.
    pub(crate) metrics: Option<SocketAddr>,
    /// `-U`. The UDP port of all addresses that do not name their own.
    pub(crate) udp_port: Port,
    /// Limits on replies that leave the machine by UDP.
    pub(crate) udp_limits: UdpLimits,
    /// `-s`. The path of the unix socket.
    pub(crate) unix_socket: Option<PathBuf>,
    /// `-a`. Mode of the unix socket.
    pub(crate) unix_mask: u32,
    /// `-l`. Where to listen; empty if only a unix socket is wanted. Default, unlike memcached's: loopback only.
    pub(crate) listen: Vec<ListenAddress>,
    /// `-l` as it was written, several joined by commas; `None` if not given.
    pub(crate) listen_text: Option<String>,
    /// `-b`. How many connections the kernel keeps until they are accepted.
    pub(crate) backlog: i32,
    /// `-o sock_cookie_id`. SO_MARK of the listening sockets; 0 = none.
    pub(crate) socket_mark: u32,

    // Connections.
    /// `-c`. Connections open at the same time, over all shards.
    pub(crate) conn_limit: u32,
    /// `-o maxconns_fast`. Whether a connection over the limit is refused; otherwise it waits in the backlog.
    pub(crate) maxconns_fast: bool,
    /// `-o idle_timeout`. Seconds after which a silent connection is closed; 0 = never.
    pub(crate) idle_timeout_seconds: u32,
    /// `-R`. Requests of one connection that are executed before others have their turn.
    pub(crate) reqs_per_event: u32,
    /// `-B`. Which protocols a connection may speak.
    pub(crate) binding_protocol: BindingProtocol,
    /// Whether connections are encrypted where `-l` says nothing else.
    pub(crate) tls: TlsKind,
    /// `-o ssl_...`.
    pub(crate) ssl: SslOptions,
    /// `-o read_buf_mem_limit`, in bytes; 0 = none. No effect: buffers belong to the shards' rings.
    pub(crate) read_buf_mem_limit_bytes: u64,
    /// `-o conn_mem_limit`, our own, in bytes; 0 = none. Heap memory that all connections may hold together.
    pub(crate) conn_mem_limit_bytes: u64,

    // Shards.
    /// `-o io`, our own. The interface by which bytes are moved; `None` = io_uring if it is available, which is decided
    /// at the start.
    pub(crate) io: Option<Io>,
    /// `-t`. Number of shards. Default, unlike memcached's 4: one for each CPU that this process may run on.
    pub(crate) threads: usize,
    /// The CPUs that this process may run on, in ascending order.
    pub(crate) cpus: Vec<usize>,
    /// `-o no_pin`, `--cpus`. Whether shards stay on CPUs of their own.
    pub(crate) pinning: Pinning,

    // Memory.
    /// `-m`. Bytes for items, index included.
    pub(crate) memory_limit_bytes: u64,
    /// Whether a full cache evicts; `-M` turns eviction off, and a full cache answers with an error.
    pub(crate) evictions: bool,
    /// `-I`. The largest item: key, value and header.
    pub(crate) item_size_max: u64,
    /// `-f`. The factor between slab classes; `None` leaves the choice to the engine.
    pub(crate) growth_factor: Option<f64>,
    /// `-n`. Bytes of key and value in the smallest slab class; `None` leaves the choice to the engine.
    pub(crate) chunk_size_min: Option<u32>,
    /// `-o slab_sizes`. The chunk sizes of all slab classes but the last.
    pub(crate) slab_sizes: Option<Vec<usize>>,
    /// `-o slab_chunk_max`, in bytes. The largest chunk: items above it are chains of chunks.
    pub(crate) slab_chunk_max: u64,
    /// `-L`. Asks for huge pages.
    pub(crate) large_pages: bool,
    /// `-o prefault`, our own. Whether all memory is mapped before the server is ready.
    pub(crate) prefault: bool,
    /// `-e`. The file that holds the items, so that they outlive a graceful end.
    pub(crate) memory_file: Option<PathBuf>,
    /// `-k`. Locks all memory.
    pub(crate) lock_memory: bool,
    /// Whether items have a cas unique; `-C` turns cas uniques off.
    pub(crate) cas_enabled: bool,
    /// `-o hashpower`; 0 = not given. No effect: the index grows in small steps from any size.
    pub(crate) hashpower: u32,
    /// Whether the index may grow; `-o no_hashexpand` forbids it. No effect: the index always grows.
    pub(crate) hash_expand: bool,
    /// `-o hash_algorithm`, by name. No effect: keys are hashed by xxh3 with a random seed.
    pub(crate) hash_algorithm: &'static str,

    // Maintenance. Eviction and page moves are the engine's own; these are shown by `stats settings`.
    /// `-o slab_reassign`. Whether pages move between slab classes.
    pub(crate) slab_reassign: bool,
    /// `-o slab_automove`. 0 = off, 1 = on, 2 = aggressive.
    pub(crate) slab_automove: u32,
    /// `-o slab_automove_ratio`. No effect.
    pub(crate) slab_automove_ratio: f64,
    /// `-o slab_automove_freeratio`. No effect.
    pub(crate) slab_automove_freeratio: f64,
    /// `-o slab_automove_window`, in seconds. No effect.
    pub(crate) slab_automove_window: u32,
    /// `-o tail_repair_time`, in seconds. No effect: no reference can be lost here.
    pub(crate) tail_repair_time: u32,
    /// `-o lru_crawler`. Whether expired items are swept in the background.
    pub(crate) lru_crawler: bool,
    /// `-o lru_crawler_sleep`, in microseconds. No effect: the sweep runs in bounded steps when a shard is idle.
    pub(crate) lru_crawler_sleep: u32,
    /// `-o lru_crawler_tocrawl`; 0 = no limit. No effect.
    pub(crate) lru_crawler_tocrawl: u32,
    /// `-o lru_maintainer`. No effect except on the names that statistics have.
    pub(crate) lru_maintainer: bool,
    /// Whether the LRU is segmented; `-o no_modern` turns it off. No effect.
    pub(crate) lru_segmented: bool,
    /// `-o hot_lru_pct`. No effect.
    pub(crate) hot_lru_pct: u32,
    /// `-o warm_lru_pct`. No effect.
    pub(crate) warm_lru_pct: u32,
    /// `-o hot_max_factor`. No effect.
    pub(crate) hot_max_factor: f64,
    /// `-o warm_max_factor`. No effect.
    pub(crate) warm_max_factor: f64,
    /// Whether `-o temporary_ttl` was given. No effect.
    pub(crate) temp_lru: bool,
    /// `-o temporary_ttl`, in seconds. No effect.
    pub(crate) temporary_ttl: u32,

    // Commands.
    /// `-A`. Whether `shutdown` is allowed.
    pub(crate) shutdown_enabled: bool,
    /// Whether `flush_all` is allowed; `-F` forbids it.
    pub(crate) flush_enabled: bool,
    /// Whether commands that show keys are allowed; `-X` forbids them.
    pub(crate) dump_enabled: bool,
    /// Whether `watch` is allowed; `-W` forbids it.
    pub(crate) watch_enabled: bool,
    /// `-D`. Ends the prefix of a key in `stats detail`.
    pub(crate) prefix_delimiter: u8,
    /// Whether `stats detail` counts from the start; `-D` turns it on.
    pub(crate) detail_enabled: bool,
    /// `-o debugtime`, hidden: whether `debugtime` is a command, for tests that would have to wait for exptimes.
    pub(crate) debugtime: bool,
    /// `-o track_sizes`. Whether `stats sizes` counts.
    pub(crate) track_sizes: bool,
    /// `-o no_hotkeys`, our own, turns it off. Whether `stats hotkeys` counts.
    pub(crate) hot_keys: bool,
    /// `-o no_mrc`, our own, turns it off. Whether `stats mrc` estimates.
    pub(crate) estimates: bool,
    /// `-o no_latency`, our own, turns it off. Whether `stats latency` counts.
    pub(crate) latency: bool,
    /// `-o log=json`, our own. Whether lines on stderr are JSON objects.
    pub(crate) log_json: bool,
    /// `-o slow_us`, our own. From this many microseconds on a command is logged as slow; 0 = never.
    pub(crate) slow_us: u32,
    /// `-o watcher_logbuf_size`, in bytes.
    pub(crate) watcher_logbuf_bytes: u64,
    /// `-o worker_logbuf_size`, in bytes.
    pub(crate) worker_logbuf_bytes: u64,

    /// `-Y`, `-S`. How clients authenticate.
    pub(crate) authentication: Authentication,

    // Process.
    /// `-v`, `-vv`, `-vvv`: 0 to 3 (and more, as memcached counts).
    pub(crate) verbosity: u8,
    /// `-d`. Goes into the background.
    pub(crate) daemonize: bool,
    /// `-P`. Where the process id is written.
    pub(crate) pidfile: Option<PathBuf>,
    /// `-u`. The user to become when started as root. Default, unlike memcached's refusal to start: `nobody`.
    pub(crate) user: Option<String>,
    /// `-r`. Raises the limit on core dumps.
    pub(crate) coredumps: bool,
    /// `-o drop_privileges`. No effect: there is no seccomp filter.
    pub(crate) drop_privileges: bool,
    /// `-N`. No effect: the kernel chooses the shard of a connection, and shards balance them.
    pub(crate) napi_ids: u32,
    /// `MEMCACHED_PORT_FILENAME` of the environment. Where the ports are written once the server listens.
    pub(crate) port_file: Option<OsString>,
}

impl Config {
    /// The interface by which bytes are moved, once it has been decided on.
    pub(crate) fn driver(&self) -> Io {
        self.io.unwrap_or_default()
    }

    /// Whether it is measured how long commands take. The slow log needs that, too.
    pub(crate) fn measures_latency(&self) -> bool {
        self.latency || self.slow_us > 0
    }
}

impl Default for Config {
    /// The settings of a start without any option.
    #[allow(clippy::too_many_lines, reason = "a line for each setting")]
    fn default() -> Self {
        let cpus = cpus::allowed();
        Self {
            tcp_port: Port::Fixed(DEFAULT_PORT),
            shard_port: 0,
            metrics: None,
            udp_port: Port::Off,
            udp_limits: UdpLimits::default(),
            unix_socket: None,
            unix_mask: 0o700,
            listen: ListenAddress::loopback(),
            listen_text: None,
            backlog: 1024,
            socket_mark: 0,
            conn_limit: 1024,
            maxconns_fast: true,
            idle_timeout_seconds: 0,
            reqs_per_event: 20,
            binding_protocol: BindingProtocol::Auto,
            tls: TlsKind::None,
            ssl: SslOptions::default(),
            read_buf_mem_limit_bytes: 0,
            conn_mem_limit_bytes: 256 * 1024 * 1024,
            io: None,
            threads: cpus::shards_to_start(cpus.len()),
            cpus,
            pinning: Pinning::IfFree,
            memory_limit_bytes: 64 * 1024 * 1024,
            evictions: true,
            item_size_max: 1024 * 1024,
            growth_factor: None,
            chunk_size_min: None,
            slab_sizes: None,
            slab_chunk_max: SLAB_PAGE_BYTES / 2,
            large_pages: false,
            prefault: false,
            memory_file: None,
            lock_memory: false,
            cas_enabled: true,
            hashpower: 0,
            hash_expand: true,
            hash_algorithm: "xxh3",
            slab_reassign: true,
            slab_automove: 1,
            slab_automove_ratio: 0.8,
            slab_automove_freeratio: 0.01,
            slab_automove_window: 10,
            tail_repair_time: 0,
            lru_crawler: true,
            lru_crawler_sleep: 100,
            lru_crawler_tocrawl: 0,
            lru_maintainer: true,
            lru_segmented: true,
            hot_lru_pct: 20,
            warm_lru_pct: 40,
            hot_max_factor: 0.2,
            warm_max_factor: 2.0,
            temp_lru: false,
            temporary_ttl: 61,
            shutdown_enabled: false,
            flush_enabled: true,
            dump_enabled: true,
            watch_enabled: true,
            prefix_delimiter: b':',
            detail_enabled: false,
            debugtime: false,
            track_sizes: false,
            hot_keys: true,
            estimates: true,
            latency: true,
            slow_us: 0,
            log_json: false,
            watcher_logbuf_bytes: 256 * 1024,
            worker_logbuf_bytes: 64 * 1024,
            authentication: Authentication::None,
            verbosity: 0,
            daemonize: false,
            pidfile: None,
            user: None,
            coredumps: false,
            drop_privileges: false,
            napi_ids: 0,
            port_file: None,
        }
    }
}

/// How clients authenticate, and the file of their passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// Clients do not authenticate.
    #[default]
    None,
    /// `-Y`: by a first `set`, in the text protocols.
    Text(PathBuf),
    /// `-S`: by SASL PLAIN, in the binary protocol.
    Sasl(PathBuf),
}
