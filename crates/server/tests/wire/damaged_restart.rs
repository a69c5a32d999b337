//! `-e` with files that somebody has damaged, exchanged, or made for something else: only what was stored is served, or
//! the cache is empty and says why. `CORECACHED_SEED` sets the seed.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::fs::{SeekFrom, seek};
use rustix::process::Signal;

use crate::client::Client;
use crate::server::{Server, binary, command};

const TIMEOUT: Duration = Duration::from_secs(60);
const ITEMS: usize = 1500;
const PAGE_BYTES: u64 = 16 << 10;

/// A directory of one test with a memory file in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("corecached-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a new directory");
        Place(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("items")
    }

    fn meta(&self) -> PathBuf {
        self.0.join("items.meta")
    }

    fn start(&self, shards: usize) -> Server {
        let path = self.file();
        Server::start(shards, &["-m", "64", "-e", path.to_str().expect("letters")])
    }

    /// What a server says that would use a file here and ends.
    fn refusal(&self, file: &Path) -> String {
        let output = self.run(file);
        assert!(!output.status.success(), "it has taken {}", file.display());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn run(&self, file: &Path) -> Output {
        command()
            .args(["-l", "127.0.0.1", "-p", "0", "-t", "1", "-s"])
            .arg(self.0.join("socket"))
            .arg("-e")
            .arg(file)
            .output()
            .expect("the server binary can be executed")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> File {
    let file = File::options().read(true).write(true).open(path);
    file.expect("the server has made it")
}

fn value(number: usize) -> Vec<u8> {
    let lengths = [3, 90, 700, 5000];
    let len = if number.is_multiple_of(300) {
        400_000
    } else {
        lengths[number % 4]
    };
    format!("{number}-")
        .into_bytes()
        .into_iter()
        .cycle()
        .take(len)
        .collect()
}

fn fill(server: &Server) {
    let mut client = server.connect();
    for number in 0..ITEMS {
        let value = value(number);
        client.send(format!("set key-{number} 0 0 {} noreply\r\n", value.len()));
        client.send(value);
        client.send("\r\n");
    }
    assert_eq!(client.ask("mn"), "MN");
}

/// Looks at all keys; the number of those that are there, whose values are right.
fn check(client: &mut Client) -> usize {
    let found = (0..ITEMS).filter(|&number| {
        let got = client.get(&format!("key-{number}"));
        assert!(
            got.is_none() || got == Some(value(number)),
            "key-{number} has a wrong value"
        );
        got.is_some()
    });
    found.count()
}

fn end(mut server: Server, signal: Signal) {
    server.signal(signal);
    server.wait_for_exit(TIMEOUT);
}

/// The parts of a file that are no holes.
fn extents(file: &File) -> Vec<(u64, u64)> {
    let mut extents = Vec::new();
    let mut at = 0;
    while let Ok(begin) = seek(file, SeekFrom::Data(at)) {
        at = seek(file, SeekFrom::Hole(begin)).expect("there is one at the end");
        extents.push((begin, at));
    }
    extents
}

fn some_place(file: &File, rng: &mut StdRng) -> u64 {
    let extents = extents(file);
    let (begin, end) = extents[rng.random_range(0..extents.len())];
    rng.random_range(begin..end)
}

fn read(file: &File, at: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, at).expect("it is there");
    bytes
}

/// Damages one of the files; what was done.
fn damage(place: &Place, old_meta: &[u8], rng: &mut StdRng) -> String {
    let is_meta = rng.random_range(0..3) == 0;
    let path = if is_meta { place.meta() } else { place.file() };
    let file = open(&path);
    let len = file.metadata().expect("it is open").len();
    let at = if is_meta {
        rng.random_range(0..len)
    } else {
        some_place(&file, rng)
    };
    let kind = rng.random_range(0..9);
    let write = |bytes: &[u8], at| file.write_all_at(bytes, at).expect("it is ours");
    match kind {
        0..3 => {
            let byte = read(&file, at, 1)[0];
            write(&[byte ^ 1 << rng.random_range(0..8)], at);
        }
        3 => write(
            &vec![0; rng.random_range(1..30_000).min((len - at) as usize)],
            at,
        ),
        4 => file.set_len(at).expect("it is ours"),
        5 => file.set_len(len + at % 10_000 + 1).expect("it is ours"),
        6 if !is_meta => {
            let other = some_place(&file, rng) / PAGE_BYTES * PAGE_BYTES;
            let at = at / PAGE_BYTES * PAGE_BYTES;
            let (one, two) = (read(&file, at, PAGE_BYTES), read(&file, other, PAGE_BYTES));
            write(&one, other);
            write(&two, at);
        }
        7 => fs::write(place.meta(), old_meta).expect("it is ours"),
        _ => write(&[rng.random(); 300][..300.min((len - at) as usize)], at),
    }
    format!("kind {kind} at {at} of {} bytes, FILE.meta {is_meta}", len)
}

fn restarts_from_damaged_files(shards: usize) {
    if binary().ends_with("memcached") {
        return;
    }
    let seed = std::env::var("CORECACHED_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("CORECACHED_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed + shards as u64);
    let place = Place::new(&format!("damaged-{shards}"));
    let mut old_meta = b"corecached meta2".to_vec();
    let mut server = place.start(shards);
    let mut empty = 0;
    for round in 0..14 {
        fill(&server);
        end(server, Signal::USR1);
        let meta = fs::read(place.meta()).expect("it was saved");
        let what = damage(&place, &old_meta, &mut rng);
        old_meta = meta;
        server = place.start(shards);
        let said = server.stderr_text();
        let mut client = server.connect();
        let found = check(&mut client);
        let is_empty = client.stat("curr_items") == 0;
        println!("round {round}: {what}: {found} items, {said}");
        assert!(found == 0 || !is_empty, "{what}");
        assert_eq!(
            is_empty,
            said.contains("the cache is empty: "),
            "{what}: {said}"
        );
        empty += usize::from(is_empty);
    }
    assert!(empty >= 7, "only {empty} of 14 were noticed");
    end(server, Signal::TERM);
}

#[test]
fn a_damaged_file_of_one_shard_is_an_empty_start_or_none() {
    restarts_from_damaged_files(1);
}

#[test]
fn a_damaged_file_of_three_shards_is_an_empty_start_or_none() {
    restarts_from_damaged_files(3);
}

#[test]
fn a_kill_at_any_moment_of_saving_is_an_empty_start_or_none() {
    if binary().ends_with("memcached") {
        return;
    }
    let place = Place::new("killed");
    for round in 0..8 {
        let mut server = place.start(2);
        fill(&server);
        server.signal(Signal::USR1);
        thread::sleep(Duration::from_millis(round * 4));
        server.signal(Signal::KILL);
        server.wait_for_exit(TIMEOUT);
        drop(server);
        let server = place.start(2);
        let found = check(&mut server.connect());
        let is_said = server.stderr_text().contains("the cache is empty: ");
        assert!(
            found == 0 && is_said || found > ITEMS / 2 && !is_said,
            "{found}"
        );
        end(server, Signal::TERM);
        let server = place.start(2);
        assert_eq!(check(&mut server.connect()), 0, "it is used once");
        end(server, Signal::TERM);
    }
}

#[test]
fn what_is_not_for_the_server_is_refused_and_stays() {
    if binary().ends_with("memcached") {
        return;
    }
    let place = Place::new("refused");
    let text = b"database\n".repeat(1000);
    let (database, link, open_to_all) = (
        place.0.join("db"),
        place.0.join("link"),
        place.0.join("open"),
    );
    fs::write(&database, &text).expect("the directory is ours");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let said = place.refusal(&database);
    assert!(said.contains("not one of corecached's"), "{said}");
    symlink(&database, &link).expect("a new link");
    let said = place.refusal(&link);
    assert!(said.contains("symbolic link"), "{said}");
    fs::write(&open_to_all, b"").expect("the directory is ours");
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o666)).expect("it is ours");
    let said = place.refusal(&open_to_all);
    assert!(said.contains("has mode 666"), "{said}");
    assert_eq!(fs::read(&database).expect("it is there"), text);
    let server = place.start(1);
    let said = place.refusal(&place.meta());
    assert!(
        said.contains("items.meta"),
        "a server's state is no memory file: {said}"
    );
    end(server, Signal::TERM);
}

/// A small tmpfs, which is full soon.
struct Tmpfs<'a>(&'a Path);

impl Tmpfs<'_> {
    fn mount(path: &Path, megabytes: u32) -> Option<Tmpfs<'_>> {
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(path)
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Tmpfs(path))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn a_full_file_system_costs_items_and_nothing_else() {
    if binary().ends_with("memcached") {
        return;
    }
    let place = Place::new("full");
    let Some(tmpfs) = Tmpfs::mount(&place.0, 8) else {
        return crate::skip::skipped("only root can mount a file system of 8 MiB");
    };
    for round in 0..3 {
        let server = place.start(2);
        let mut client = server.connect();
        for _ in 0..4 {
            fill(&server);
        }
        assert!(check(&mut client) > 0);
        if round == 1 {
            // Nothing is left for the state.
            let rest = fs::File::create(place.0.join("rest")).expect("a name takes nothing");
            let block = vec![7; 4096];
            while std::io::Write::write_all(&mut &rest, &block).is_ok() {}
        }
        end(server, Signal::USR1);
        let server = place.start(2);
        let found = check(&mut server.connect());
        let said = server.stderr_text();
        println!("round {round}: {found} items, {said}");
        assert_eq!(found == 0, said.contains("the cache is empty: "), "{said}");
        let _ = fs::remove_file(place.0.join("rest"));
        end(server, Signal::TERM);
    }
    drop(tmpfs);
}
