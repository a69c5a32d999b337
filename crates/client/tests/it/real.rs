//! The client against real servers: corecached of this repository if it is built (`cargo build -p corecached` with the
//! same profile), and memcached if it is installed. `CORECACHED` and `MEMCACHED` name others.

use corecached_client::{
    Address, Client, Config, Connection, Error, Item, Lease, Protocol, Stored, Ttl,
};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start, on a busy machine too.
const START: Duration = Duration::from_secs(60);
const PROTOCOLS: [Protocol; 3] = [Protocol::Text, Protocol::Meta, Protocol::Binary];

/// A running server, which ends with its test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn address(&self) -> Address {
        Address::tcp("127.0.0.1", self.port)
    }

    fn start(program: &PathBuf, options: &[&str]) -> Server {
        Self::start_with(program, options, &[])
    }

    fn start_with(program: &PathBuf, options: &[&str], environment: &[(&str, &str)]) -> Server {
        let port = free_port();
        let mut command = Command::new(program);
        command
            .args(["-l", "127.0.0.1", "-U", "0", "-u", "root", "-p"])
            .arg(port.to_string())
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("the server can be executed");
        let mut server = Server { child, port };
        let end = Instant::now() + START;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "it does not listen");
            assert!(server.child.try_wait().unwrap().is_none(), "it has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// corecached, if it is built.
fn corecached() -> Option<PathBuf> {
    let named = std::env::var_os("CORECACHED").map(PathBuf::from);
    let built = || {
        let test = std::env::current_exe().ok()?;
        let path = test.parent()?.parent()?.join("corecached");
        path.exists().then_some(path)
    };
    named.or_else(built)
}

fn memcached() -> Option<PathBuf> {
    let named = std::env::var_os("MEMCACHED").map(PathBuf::from);
    let installed = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|directory| directory.join("memcached"))
            .find(|path| path.exists())
    };
    named.or_else(installed)
}

/// All servers that are available. A test without a server says so where `scripts/test` counts skipped tests.
fn servers(test: &str) -> Vec<PathBuf> {
    let found: Vec<PathBuf> = [corecached(), memcached()].into_iter().flatten().collect();
    if found.is_empty() {
        skip(test, "neither corecached nor memcached is there");
    }
    found
}

fn skip(test: &str, why: &str) {
    println!("skipped: {test}: {why}");
    if let Some(list) = std::env::var_os("SKIPPED_TESTS") {
        let mut options = std::fs::OpenOptions::new();
        let mut list = options.create(true).append(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
}

fn patient() -> Config {
    let patience = Duration::from_secs(60);
    Config::new().connect_timeout(patience).timeout(patience)
}

fn value(item: Option<Item>) -> Option<String> {
    item.map(|item| String::from_utf8_lossy(&item.value).into_owned())
}

#[test]
fn every_verb_in_every_protocol() {
    for program in servers("every_verb_in_every_protocol") {
        let server = Server::start(&program, &[]);
        for protocol in PROTOCOLS {
            let client = Client::connect([server.address()], patient().protocol(protocol)).unwrap();
            verbs(&client);
            client.flush_all().unwrap();
            assert_eq!(client.get("k").unwrap(), None, "{protocol:?}");
        }
    }
}

fn verbs(client: &Client) {
    let (short, long) = (Ttl::seconds(100), Ttl::seconds(10_000));
    assert_eq!(client.get("k").unwrap(), None);
    assert!(!client.replace("k", "x", short).unwrap());
    assert!(!client.append("k", "x").unwrap());
    client.set("k", "1", short).unwrap();
    assert!(!client.add("k", "x", short).unwrap());
    assert!(client.add("new", "n", Ttl::NEVER).unwrap());
    assert!(client.append("k", "2").unwrap());
    assert!(client.prepend("k", "0").unwrap());
    assert_eq!(value(client.get("k").unwrap()).as_deref(), Some("012"));
    assert_eq!(client.incr("k", 30).unwrap(), Some(42));
    assert_eq!(client.decr("k", 100).unwrap(), Some(0));
    assert_eq!(client.incr("nosuch", 1).unwrap(), None);
    assert!(client.touch("k", long).unwrap());
    assert!(!client.touch("nosuch", long).unwrap());
    let item = client.get_and_touch("k", short).unwrap().unwrap();
    assert_eq!(value(Some(item)).unwrap().trim_end(), "0");
    let cas = client.gets("k").unwrap().unwrap().cas.unwrap();
    assert_eq!(client.cas("k", "mine", short, cas).unwrap(), Stored::Stored);
    assert_eq!(client.cas("k", "late", short, cas).unwrap(), Stored::Exists);
    assert_eq!(
        client.cas("nosuch", "x", short, cas).unwrap(),
        Stored::NotFound
    );
    assert!(matches!(client.incr("k", 1), Err(Error::Client(_))));
    let large = "v".repeat(900_000);
    client.set("large", &large, short).unwrap();
    let found = client
        .get_many(&["new", "nosuch", "large", "k", "new"])
        .unwrap();
    let found: Vec<Option<String>> = found.into_iter().map(value).collect();
    let expected = ["n", "", &large, "mine", "n"].map(|text| Some(text.to_owned()));
    assert_eq!(found[1], None);
    for index in [0, 2, 3, 4] {
        assert_eq!(found[index], expected[index], "{index}");
    }
    let too_large = vec![b'v'; 2 << 20];
    assert!(matches!(
        client.set("too_large", &too_large, short),
        Err(Error::Server(_))
    ));
    assert_eq!(
        client.get("too_large").unwrap(),
        None,
        "the connection is in step"
    );
    assert!(client.delete("new").unwrap());
    assert!(!client.delete("new").unwrap());
}

#[test]
fn leases_and_stale_values() {
    for program in servers("leases_and_stale_values") {
        let server = Server::start(&program, &[]);
        let client = Client::connect([server.address()], patient()).unwrap();
        let patience = Ttl::seconds(30);
        let Lease::Won { token, old: None } = client.lease("k", patience).unwrap() else {
            panic!("the first one wins")
        };
        assert_eq!(client.lease("k", patience).unwrap(), Lease::Wait);
        let filled = client.fill("k", token, "new", Ttl::seconds(60)).unwrap();
        assert_eq!(filled, Stored::Stored);
        let filled = client.fill("k", token, "late", Ttl::seconds(60)).unwrap();
        assert_eq!(filled, Stored::Exists);
        assert!(matches!(
            client.lease("k", patience).unwrap(),
            Lease::Hit {
                is_stale: false,
                ..
            }
        ));
        assert!(client.invalidate("k").unwrap());
        assert!(matches!(
            client.lease("k", patience).unwrap(),
            Lease::Won { old: Some(_), .. }
        ));
        assert!(matches!(
            client.lease("k", patience).unwrap(),
            Lease::Hit { is_stale: true, .. }
        ));
        client.set("key with spaces", "1", patience).unwrap();
        assert_eq!(
            value(client.get("key with spaces").unwrap()).as_deref(),
            Some("1")
        );
    }
}

#[test]
fn statistics_version_and_a_unix_socket() {
    for program in servers("statistics_version_and_a_unix_socket") {
        let server = Server::start(&program, &[]);
        for protocol in PROTOCOLS {
            let config = patient().protocol(protocol);
            let mut connection = Connection::open(server.address(), &config).unwrap();
            assert!(
                connection.version().unwrap().starts_with("1."),
                "{protocol:?}"
            );
            let stats = connection.stats("").unwrap();
            assert!(stats.iter().any(|(name, _)| name == "curr_items"));
            assert!(connection.stats("settings").unwrap().len() > 10);
            connection.noop().unwrap();
        }
        drop(server);
        let path = std::env::temp_dir().join(format!("corecached-client-{}.sock", free_port()));
        let text = path.to_str().unwrap();
        let mut child = Command::new(&program)
            .args(["-u", "root", "-s", text])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + START;
        let stored = loop {
            let client = Client::connect([Address::unix(&path)], patient()).unwrap();
            match client.set("k", "v", Ttl::NEVER) {
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
                stored => break stored.map(|()| client.get("k")),
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        let _ = std::fs::remove_file(&path);
        assert_eq!(value(stored.unwrap().unwrap()).as_deref(), Some("v"));
    }
}

#[test]
fn users_by_password_file_and_by_sasl() {
    let test = "users_by_password_file_and_by_sasl";
    let Some(program) = corecached() else {
        return skip(test, "corecached is not built");
    };
    let file = std::env::temp_dir().join(format!("corecached-client-{}.auth", free_port()));
    std::fs::write(&file, "ada:secret\n").unwrap();
    let server = Server::start(&program, &["-Y", file.to_str().unwrap()]);
    for protocol in [Protocol::Text, Protocol::Meta] {
        let config = patient().protocol(protocol);
        let good = config.clone().credentials("ada", "secret");
        let client = Client::connect([server.address()], good).unwrap();
        client.set("k", "v", Ttl::NEVER).unwrap();
        let bad = config.clone().credentials("ada", "wrong");
        let client = Client::connect([server.address()], bad).unwrap();
        assert!(matches!(client.get("k"), Err(Error::Authentication(_))));
        let client = Client::connect([server.address()], config).unwrap();
        assert!(matches!(
            client.set("k", "v", Ttl::NEVER),
            Err(Error::Client(_))
        ));
    }
    let environment = [("MEMCACHED_SASL_PWDB", file.to_str().unwrap())];
    let server = Server::start_with(&program, &["-S"], &environment);
    let binary = patient().protocol(Protocol::Binary);
    let good = binary.clone().credentials("ada", "secret");
    let client = Client::connect([server.address()], good).unwrap();
    client.set("k", "v", Ttl::NEVER).unwrap();
    let bad = binary.credentials("ada", "wrong");
    let client = Client::connect([server.address()], bad).unwrap();
    assert!(matches!(client.get("k"), Err(Error::Authentication(_))));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn each_shard_is_asked_for_its_own_keys() {
    let test = "each_shard_is_asked_for_its_own_keys";
    let Some(program) = corecached() else {
        return skip(test, "corecached is not built");
    };
    let shard_port = format!("shard_port={}", free_port());
    let server = Server::start(&program, &["-t", "3", "-o", &shard_port]);
    let client = Client::shard_aware(server.address(), patient()).unwrap();
    let keys: Vec<String> = (0..300).map(|n| format!("key{n}")).collect();
    for key in &keys {
        client.set(key, key, Ttl::NEVER).unwrap();
    }
    let found = client.get_many(&keys).unwrap();
    for (key, found) in keys.iter().zip(found) {
        assert_eq!(value(found).as_ref(), Some(key));
    }
    let plain = Server::start(&program, &["-t", "2"]);
    assert!(matches!(
        Client::shard_aware(plain.address(), patient()),
        Err(Error::Config(_))
    ));
}
