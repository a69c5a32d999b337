//! Lines of `watch` streams. A line begins with its time and its number, `ts=<seconds>.<microseconds> gid=<number>`,
//! and ends in a lone line feed.

use crate::reply::number;
use crate::uri;

/// The result of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetStatus {
    /// No item was found.
    NotFound,
    /// The item was found.
    Found,
    /// There was an item, but a flush had killed it.
    Flushed,
    /// There was an item, but it had expired.
    Expired,
}

/// The result of a storage command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreStatus {
    /// The command's condition did not hold.
    NotStored,
    /// The item was stored.
    Stored,
    /// The cas unique differs.
    Exists,
    /// A cas unique was given, but there is no item.
    NotFound,
    /// The item is larger than `-I`.
    TooLarge,
    /// No memory.
    NoMemory,
}

/// Appends the beginning of a line. The microseconds are not padded, as memcached does not pad them.
pub fn head(out: &mut Vec<u8>, seconds: u64, microseconds: u32, id: u64) {
    out.extend_from_slice(b"ts=");
    number(out, seconds);
    out.push(b'.');
    number(out, microseconds);
    out.extend_from_slice(b" gid=");
    number(out, id);
}

/// Appends `skipped=<n>`, a line of its own: a watcher that was too slow has lost `n` lines.
pub fn skipped(out: &mut Vec<u8>, lines: u64) {
    out.extend_from_slice(b"skipped=");
    number(out, lines);
    out.push(b'\n');
}

/// Appends the rest of a line of `type=item_get`.
pub fn item_get(
    out: &mut Vec<u8>,
    key: &[u8],
    status: GetStatus,
    class_id: u8,
    descriptor: i32,
    value_bytes: usize,
) {
    let status = match status {
        GetStatus::NotFound => "not_found",
        GetStatus::Found => "found",
        GetStatus::Flushed => "flushed",
        GetStatus::Expired => "expired",
    };
    text(out, b" type=item_get key=");
    uri::encode(out, key);
    word(out, b" status=", status);
    field(out, b" clsid=", class_id);
    field(out, b" cfd=", descriptor);
    end(out, value_bytes);
}

/// The fields of a line of `type=item_store`.
#[derive(Clone, Copy, Debug)]
pub struct ItemStore<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The result of the command.
    pub status: StoreStatus,
    /// The command.
    pub command: &'static str,
    /// Seconds that the item lives; 0 = for ever.
    pub ttl: u32,
    /// The item's slab class.
    pub class_id: u8,
    /// The connection's descriptor.
    pub descriptor: i32,
    /// Length of the value.
    pub value_bytes: usize,
}

/// Appends the rest of a line of `type=item_store`.
pub fn item_store(out: &mut Vec<u8>, store: &ItemStore<'_>) {
    let status = match store.status {
        StoreStatus::NotStored => "not_stored",
        StoreStatus::Stored => "stored",
        StoreStatus::Exists => "exists",
        StoreStatus::NotFound => "not_found",
        StoreStatus::TooLarge => "too_large",
        StoreStatus::NoMemory => "no_memory",
    };
    text(out, b" type=item_store key=");
    uri::encode(out, store.key);
    word(out, b" status=", status);
    word(out, b" cmd=", store.command);
    field(out, b" ttl=", store.ttl);
    field(out, b" clsid=", store.class_id);
    field(out, b" cfd=", store.descriptor);
    end(out, store.value_bytes);
}

/// The fields of a line of `type=eviction`.
#[derive(Clone, Copy, Debug)]
pub struct Eviction<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Whether the item was fetched since it was stored.
    pub fetched: bool,
    /// Seconds that the item had left to live; `None` = for ever.
    pub ttl: Option<u32>,
    /// Seconds since the item was last used.
    pub idle: u32,
    /// The item's slab class.
    pub class_id: u8,
    /// Length of the value.
    pub value_bytes: usize,
}

/// Appends the rest of a line of `type=eviction`.
pub fn eviction(out: &mut Vec<u8>, eviction: &Eviction<'_>) {
    text(out, b" type=eviction key=");
    uri::encode(out, eviction.key);
    word(out, b" fetch=", if eviction.fetched { "yes" } else { "no" });
    match eviction.ttl {
        Some(ttl) => field(out, b" ttl=", ttl),
        None => text(out, b" ttl=-1"),
    }
    field(out, b" la=", eviction.idle);
    field(out, b" clsid=", eviction.class_id);
    end(out, eviction.value_bytes);
}

/// Appends the rest of a line of `type=deleted`.
pub fn deleted(out: &mut Vec<u8>, key: &[u8], command: &str, class_id: u8, value_bytes: usize) {
    text(out, b" type=deleted key=");
    uri::encode(out, key);
    word(out, b" cmd=", command);
    field(out, b" clsid=", class_id);
    end(out, value_bytes);
}

/// The fields of a line of `type=slow`: commands that a connection sent together, and that took long. Times are in
/// microseconds.
#[derive(Clone, Copy, Debug)]
pub struct SlowCommands<'a> {
    /// The client.
    pub peer: &'a Peer,
    /// The kind of the first command.
    pub kind: &'static str,
    /// The key of the first command that has one; empty if none has.
    pub key: &'a [u8],
    /// Number of commands.
    pub commands: u32,
    /// The parts of the time, with their names.
    pub stages: &'a [(&'static str, u64)],
    /// All of the time.
    pub total_us: u64,
    /// Bytes of the send that the replies were in.
    pub bytes: usize,
}

/// Appends the rest of a line of `type=slow`.
pub fn slow(out: &mut Vec<u8>, slow: &SlowCommands<'_>) {
    word(out, b" type=slow cmd=", slow.kind);
    text(out, b" key=");
    uri::encode(out, slow.key);
    field(out, b" commands=", slow.commands);
    for (stage, us) in slow.stages {
        word(out, b" ", stage);
        field(out, b"_us=", *us);
    }
    field(out, b" total_us=", slow.total_us);
    addresses(out, slow.peer);
    field(out, b" cfd=", slow.peer.descriptor);
    end(out, slow.bytes);
}

/// A connection, as lines show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, `unix` for a local socket.
    pub address: String,
    /// The client's port, 0 without one.
    pub port: u16,
    /// `local`, `tcp` or `udp`.
    pub transport: &'static str,
    /// The connection's descriptor.
    pub descriptor: i32,
}

/// Appends the rest of a line of `type=conn_new`.
pub fn conn_new(out: &mut Vec<u8>, peer: &Peer) {
    text(out, b" type=conn_new");
    addresses(out, peer);
    field(out, b" cfd=", peer.descriptor);
    out.push(b'\n');
}

/// The reason why a connection is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseReason {
    /// An operation failed, or the client broke the protocol.
    Error,
    /// The client closed it, or said `quit`.
    #[default]
    Normal,
    /// The client was silent for too long.
    IdleTimeout,
    /// The process ends.
    Shutdown,
}

/// Appends the rest of a line of `type=conn_close`.
pub fn conn_close(out: &mut Vec<u8>, peer: &Peer, reason: CloseReason) {
    let reason = match reason {
        CloseReason::Error => "error",
        CloseReason::Normal => "normal",
        CloseReason::IdleTimeout => "idle_timeout",
        CloseReason::Shutdown => "shutdown",
    };
    text(out, b" type=conn_close");
    addresses(out, peer);
    word(out, b" reason=", reason);
    field(out, b" cfd=", peer.descriptor);
    out.push(b'\n');
}

/// Appends the rest of a line of `type=conntlserr`.
pub fn tls_error(out: &mut Vec<u8>, descriptor: i32, message: &str) {
    field(out, b" type=conntlserr fd=", descriptor);
    word(out, b" msg=", message);
    out.push(b'\n');
}

/// Appends the rest of a line of `type=slab_move`: a page goes from one slab class to another, or to the common pool
/// (class 0).
pub fn slab_move(out: &mut Vec<u8>, source: u8, destination: u8) {
    field(out, b" type=slab_move src=", source);
    field(out, b" dst=", destination);
    out.push(b'\n');
}

/// The fields of a line of `type=lru_crawler`: a walk through the memory of one shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrawlerStatus {
    /// The shard.
    pub crawler: u16,
    /// Seconds since the walk before it.
    pub since_run: u32,
    /// Seconds until the next walk.
    pub next_run: u32,
    /// Seconds that the walk took.
    pub elapsed: u32,
    /// Items looked at.
    pub examined: u64,
    /// Dead items among them.
    pub reclaimed: u64,
}

/// Appends the rest of a line of `type=lru_crawler`. Counters that only memcached's crawler has are 0.
pub fn lru_crawler(out: &mut Vec<u8>, status: &CrawlerStatus) {
    field(out, b" type=lru_crawler crawler=", status.crawler);
    text(out, b" lru=cold low_mark=0 next_reclaims=0");
    field(out, b" since_run=", status.since_run);
    field(out, b" next_run=", status.next_run);
    field(out, b" elapsed=", status.elapsed);
    field(out, b" examined=", status.examined);
    field(out, b" reclaimed=", status.reclaimed);
    out.push(b'\n');
}

fn addresses(out: &mut Vec<u8>, peer: &Peer) {
    word(out, b" rip=", &peer.address);
    field(out, b" rport=", peer.port);
    word(out, b" transport=", peer.transport);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
}

fn word(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    out.extend_from_slice(value.as_bytes());
}

fn field(out: &mut Vec<u8>, name: &[u8], value: impl itoa::Integer) {
    out.extend_from_slice(name);
    number(out, value);
}

fn end(out: &mut Vec<u8>, value_bytes: usize) {
    field(out, b" size=", value_bytes);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_items() {
        assert_eq!(
            line(|out| head(out, 1_700_000_000, 42, 7)),
            "ts=1700000000.42 gid=7"
        );
        assert_eq!(
            line(|out| item_get(out, b"a:b", GetStatus::NotFound, 0, 30, 0)),
            " type=item_get key=a%3Ab status=not_found clsid=0 cfd=30 size=0\n"
        );
        let store = ItemStore {
            key: b"k",
            status: StoreStatus::Stored,
            command: "set",
            ttl: 9,
            class_id: 3,
            descriptor: 31,
            value_bytes: 5,
        };
        assert_eq!(
            line(|out| item_store(out, &store)),
            " type=item_store key=k status=stored cmd=set ttl=9 clsid=3 cfd=31 size=5\n"
        );
        let evicted = Eviction {
            key: b"k",
            fetched: false,
            ttl: None,
            idle: 4,
            class_id: 3,
            value_bytes: 5,
        };
        assert_eq!(
            line(|out| eviction(out, &evicted)),
            " type=eviction key=k fetch=no ttl=-1 la=4 clsid=3 size=5\n"
        );
        assert_eq!(
            line(|out| deleted(out, b"k", "md", 3, 5)),
            " type=deleted key=k cmd=md clsid=3 size=5\n"
        );
    }

    #[test]
    fn lines_of_the_server() {
        let peer = Peer {
            address: "127.0.0.1".to_owned(),
            port: 4711,
            transport: "tcp",
            descriptor: 30,
        };
        assert_eq!(
            line(|out| conn_new(out, &peer)),
            " type=conn_new rip=127.0.0.1 rport=4711 transport=tcp cfd=30\n"
        );
        assert_eq!(
            line(|out| conn_close(out, &peer, CloseReason::IdleTimeout)),
            " type=conn_close rip=127.0.0.1 rport=4711 transport=tcp reason=idle_timeout cfd=30\n"
        );
        assert_eq!(
            line(|out| tls_error(out, 30, "no shared cipher")),
            " type=conntlserr fd=30 msg=no shared cipher\n"
        );
        assert_eq!(
            line(|out| slab_move(out, 3, 0)),
            " type=slab_move src=3 dst=0\n"
        );
        assert_eq!(
            line(|out| lru_crawler(out, &CrawlerStatus::default())),
            " type=lru_crawler crawler=0 lru=cold low_mark=0 next_reclaims=0 since_run=0 next_run=0 \
             elapsed=0 examined=0 reclaimed=0\n"
        );
        assert_eq!(line(|out| skipped(out, 12)), "skipped=12\n");
    }
}
