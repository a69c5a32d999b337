//! Tests of the state that is read back, and of files that are left alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use super::*;

const SEGMENT_BYTES: u64 = 65536;
/// Time for which a file may stay locked by a process that is just being started.
const LOCKED_MAX: Duration = Duration::from_secs(10);

fn saved(shards: usize) -> Saved {
    Saved {
        now: 5,
        unix_origin: 1_700_000_000,
        page_bytes: 65536,
        hash_seed: 9,
        shards: vec![vec![1, 2, 3]; shards],
    }
}

/// A directory of one test, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("corecached-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new directory");
        Place(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("items")
    }

    fn meta(&self) -> PathBuf {
        self.0.join("items.meta")
    }

    fn open(&self) -> Result<RestartFiles, StartError> {
        RestartFiles::open(&self.file(), SEGMENT_BYTES, &Owners::this_user())
    }

    /// The files, opened. A process that another test is just starting holds a copy of each open file for a moment,
    /// and its lock with it.
    fn memory(&self) -> RestartFiles {
        let end = Instant::now() + LOCKED_MAX;
        loop {
            match self.open() {
                Ok(memory) => return memory,
                Err(error) if Instant::now() > end => panic!("the files are ours: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Saves a state of two shards.
    fn save(&self) {
        let mut memory = self.memory();
        memory.clear(2).expect("room for little");
        memory.save(&saved(2)).expect("room for little");
    }

    fn refusal(&self) -> String {
        match self.open() {
            Ok(_) => panic!("it was taken"),
            Err(error) => error.to_string(),
        }
    }

    /// The reason why there is nothing to restore.
    fn reason(&self) -> String {
        match self.memory().saved(2, 0) {
            Ok(_) => panic!("it was believed"),
            Err(why) => why,
        }
    }

    /// Writes a file that another program of this user might have made.
    fn write(&self, path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).expect("the directory is ours");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_state_is_read_once_and_only_whole() {
    let place = Place::new("meta");
    let mut memory = place.memory();
    memory.clear(2).expect("room for nothing");
    assert!(
        memory
            .saved(2, 0)
            .is_err_and(|why| why.contains("no saved state"))
    );
    memory.save(&saved(2)).expect("room for little");
    assert!(place.refusal().contains("another process"));
    drop(memory);
    let mut memory = place.memory();
    assert!(memory.saved(3, 0).is_err_and(|why| why.contains("-t 2")));
    drop(memory);
    let mut memory = place.memory();
    assert_eq!(memory.saved(2, 0).expect("just saved").shards.len(), 2);
    memory.save(&saved(2)).expect("a second time");
    assert_eq!(memory.saved(2, 0).expect("just saved").shards.len(), 2);
    memory.forget_saved().expect("it is writable");
    drop(memory);
    assert!(place.reason().contains("no saved state"));
}

#[test]
fn any_damage_to_the_saved_state_is_noticed() {
    let place = Place::new("damage");
    place.save();
    let good = fs::read(place.meta()).expect("it was saved");
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            place.write(&place.meta(), &bytes);
            let why = place.reason();
            assert!(why.contains("damaged") || why.contains("version"), "{why}");
        }
        place.write(&place.meta(), &good[..at]);
        place.reason();
        let mut bytes = good.clone();
        bytes[at..].fill(0);
        if bytes != good {
            place.write(&place.meta(), &bytes);
            place.reason();
        }
    }
    place.write(&place.meta(), &[good.as_slice(), b"x"].concat());
    assert!(place.reason().contains("damaged"));
    let longer = File::options().write(true).open(place.meta());
    longer
        .and_then(|file| file.set_len(1 << 40))
        .expect("holes take no room");
    assert!(place.reason().contains("damaged"));
    place.write(&place.meta(), &good);
    place.memory().saved(2, 0).expect("it is as it was");
}

#[test]
fn a_memory_file_of_another_length_or_with_a_damaged_mark_is_ours_and_not_believed() {
    let place = Place::new("length");
    for len in [
        0,
        1,
        15,
        4096,
        HEAD_BYTES,
        HEAD_BYTES + 2 * SEGMENT_BYTES + 1,
    ] {
        place.save();
        let file = File::options().write(true).open(place.file());
        file.and_then(|file| file.set_len(len))
            .expect("to damage it");
        assert!(place.reason().contains("as long"), "{len}");
    }
    place.save();
    let file = File::options().write(true).open(place.file());
    std::os::unix::fs::FileExt::write_all_at(&file.expect("it is ours"), &[0; 8192], 0)
        .expect("to damage it");
    place
        .memory()
        .saved(2, 0)
        .expect("nothing of a segment is damaged");
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let place = Place::new("foreign");
    let text = b"database\n".repeat(1000);
    place.write(&place.file(), &text);
    assert!(place.refusal().contains("not one of corecached's"));
    assert!(!place.meta().exists(), "nothing is made beside it");
    place.write(&place.meta(), b"somebody else's");
    assert!(place.refusal().contains("items is not one"));
    place.write(&place.file(), b"");
    assert!(place.refusal().contains("items.meta is not one"));
    place.write(&place.file(), &text);
    assert_eq!(fs::read(place.file()).expect("it is there"), text);
    assert_eq!(
        fs::read(place.meta()).expect("it is there"),
        b"somebody else's"
    );
    // A FILE.meta is not taken for a FILE either.
    place.write(&place.file(), b"");
    fs::remove_file(place.meta()).expect("it is there");
    place.save();
    let meta = RestartFiles::open(&place.meta(), SEGMENT_BYTES, &Owners::this_user());
    assert!(meta.is_err_and(|error| error.to_string().contains("not one")));
    // The file is an image of a disk, zero at its beginning, and as long as a file of the version before.
    fs::remove_file(place.meta()).expect("it is there");
    place.write(&place.file(), b"");
    let file = File::options().write(true).open(place.file());
    file.and_then(|file| file.set_len(64 << 30))
        .expect("holes take no room");
    for _ in 0..2 {
        assert!(place.refusal().contains("items is not one"));
    }
}

#[test]
fn files_of_the_version_before_are_known() {
    let place = Place::new("older");
    let mark: [u8; 16] = *b"sixteen bytes, a";
    for (file, meta) in [
        (
            &mark[..],
            [&b"corecached meta\n0123456789"[..], &mark, &[7; 900]].concat(),
        ),
        (&[0; 16], Vec::new()),
    ] {
        place.write(&place.file(), file);
        place.write(&place.meta(), &meta);
        let file = File::options().write(true).open(place.file());
        file.and_then(|file| file.set_len(64 << 30))
            .expect("holes take no room");
        let why = place.reason();
        assert!(
            why.contains("another version") || why.contains("no saved"),
            "{why}"
        );
    }
    place.write(&place.meta(), b"corecached meta\n0123456789");
    let another = place.refusal();
    assert!(another.contains("not one"), "another mark: {another}");
}

#[test]
fn a_state_of_a_later_version_is_known_by_its_mark() {
    let place = Place::new("later");
    place.save();
    let mut meta = fs::read(place.meta()).expect("it is there");
    meta[15] = b'9';
    place.write(&place.meta(), &meta);
    let why = place.reason();
    assert!(why.contains("saved by another version"), "{why}");
}

#[test]
fn links_directories_pipes_and_rights_are_refused() {
    let place = Place::new("rights");
    let (file, other) = (place.file(), place.0.join("other"));
    place.write(&other, b"");
    symlink(&other, &file).expect("a new link");
    assert!(place.refusal().contains("symbolic link"));
    fs::remove_file(&file).expect("it is there");
    symlink(place.0.join("nothing"), &file).expect("a new link");
    assert!(place.refusal().contains("symbolic link"));
    assert!(!place.0.join("nothing").exists());
    fs::remove_file(&file).expect("it is there");
    fs::create_dir(&file).expect("a new directory");
    assert!(place.refusal().contains("not a regular file"));
    fs::remove_dir(&file).expect("it is there");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a new pipe");
    assert!(place.refusal().contains("not a regular file"));
    fs::remove_file(&file).expect("it is there");
    fs::hard_link(&other, &file).expect("a second name");
    assert!(place.refusal().contains("2 names"));
    fs::remove_file(&other).expect("it is there");
    for mode in [0o644, 0o660, 0o700, 0o4600, 0o400] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it is ours");
        assert!(place.refusal().contains("has to have 600"), "{mode:o}");
    }
    place.write(&file, b"");
    // The state is as secret as the items, and trusted as much.
    symlink(&other, place.meta()).expect("a new link");
    assert!(place.refusal().contains("items.meta is a symbolic link"));
    fs::remove_file(place.meta()).expect("it is there");
    place.write(&place.meta(), b"");
    fs::set_permissions(place.meta(), fs::Permissions::from_mode(0o644)).expect("it is ours");
    assert!(place.refusal().contains("items.meta has mode 644"));
    fs::remove_file(place.meta()).expect("it is there");
    place.memory();
    for path in [&file, &place.meta()] {
        let mode = fs::metadata(path).expect("it was made").mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
}

#[test]
fn the_user_of_the_server_may_own_them_and_no_other() {
    let place = Place::new("owner");
    place.write(&place.file(), b"");
    if std::os::unix::fs::chown(place.file(), Some(12345), None).is_err() {
        return eprintln!("only root can give files away");
    }
    assert!(place.refusal().contains("belongs to user 12345"));
    let becomes = |uid| Owners {
        becomes: Some(uid),
        ..Owners::this_user()
    };
    let other = RestartFiles::open(&place.file(), SEGMENT_BYTES, &becomes(54321));
    assert!(other.is_err_and(|error| error.to_string().contains("user 0 or 54321")));
    RestartFiles::open(&place.file(), SEGMENT_BYTES, &becomes(12345)).expect("that user's");
}

#[test]
fn a_removed_file_is_not_saved_to() {
    let place = Place::new("removed");
    let mut memory = place.memory();
    memory.clear(2).expect("room for little");
    fs::remove_file(place.file()).expect("it is there");
    let error = memory.save(&saved(2)).expect_err("nobody would find it");
    assert!(error.to_string().contains("removed"));
}

#[test]
fn a_directory_where_everybody_writes_is_warned_of() {
    let place = Place::new("open");
    let chmod = |mode| fs::set_permissions(&place.0, fs::Permissions::from_mode(mode));
    for (mode, is_warned_of) in [
        (0o755, false),
        (0o777, true),
        (0o1777, false),
        (0o770, false),
    ] {
        chmod(mode).expect("it is ours");
        assert_eq!(
            vet::warning(&place.file()).is_some(),
            is_warned_of,
            "{mode:o}"
        );
    }
}
