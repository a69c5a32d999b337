//! Tests of functions that can be called in a test process without changing it for other tests.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::*;

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("corecached-{}-{name}", std::process::id()))
}

#[test]
fn the_pid_file_has_the_pid_and_goes_away() {
    let path = temporary("pid");
    files::write_pidfile(&path);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{}\n", std::process::id())
    );
    assert!(!temporary("pid.tmp").exists());
    files::write_pidfile(&path);
    files::remove_pidfile(&path);
    assert!(!path.exists());
    // Removing the file a second time only gives a warning.
    files::remove_pidfile(&path);
    // A directory that does not exist only gives a message.
    files::write_pidfile(&PathBuf::from("/nonexistent/pid"));
}

#[test]
fn the_limit_on_descriptors_is_raised_and_never_lowered() {
    let mut few = Config {
        conn_limit: 1,
        ..Config::default()
    };
    limits::raise_descriptors(&mut few).unwrap();
    assert_eq!(few.conn_limit, 1);
    let mut too_many = Config {
        conn_limit: u32::MAX,
        ..Config::default()
    };
    // No system allows that many; the number that it allows is used.
    limits::raise_descriptors(&mut too_many).unwrap();
    assert!((1..u32::MAX).contains(&too_many.conn_limit));
    assert!(reserved_descriptors(4) > reserved_descriptors(1));
}

#[test]
fn cpu_time_goes_up() {
    let before = usage().user + usage().system;
    let patience = Instant::now() + Duration::from_secs(20);
    while usage().user + usage().system == before {
        assert!(Instant::now() < patience, "no CPU time is counted");
        std::hint::spin_loop();
    }
}

#[test]
fn users_are_looked_up() {
    let unknown = Config {
        user: Some("no-such-user-here".into()),
        ..Config::default()
    };
    let nobody = Config::default();
    let root = Config {
        user: Some("root".into()),
        ..Config::default()
    };
    assert_eq!(user_to_become(&root).unwrap(), None);
    // SAFETY: geteuid only reads a number of the process.
    if unsafe { libc::geteuid() } == 0 {
        let error = user_to_become(&unknown).unwrap_err().to_string();
        assert!(
            error.starts_with("can't find the user no-such-user-here to switch to"),
            "{error}"
        );
        let user = user_to_become(&nobody).unwrap().expect("there is a nobody");
        assert_ne!(user.uid, 0);
    } else {
        assert_eq!(user_to_become(&unknown).unwrap(), None);
        assert_eq!(user_to_become(&nobody).unwrap(), None);
    }
}

#[test]
fn verbosity_can_be_set_before_and_after_the_start() {
    set_verbosity(3);
    logging::start(0);
    logging::start(1);
    set_verbosity(0);
}

#[test]
fn one_that_cannot_be_read_again_keeps_no_other_from_it() {
    let reloads = Reloads::default();
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    reloads.subscribe("bad file", || Err("it is bad".into()));
    reloads.subscribe("good file", move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    reloads.run();
    reloads.run();
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

/// Runs `work` on a thread of its own, whose scheduling may be changed; returns `None` if that is forbidden.
fn scheduled(
    policy: libc::c_int,
    nice: i32,
    work: fn() -> libc::sched_attr,
) -> Option<[libc::sched_attr; 2]> {
    let thread = std::thread::spawn(move || {
        let mut attributes = slice::get().ok()?;
        attributes.sched_policy = policy.unsigned_abs();
        attributes.sched_nice = nice;
        slice::set(&attributes).ok()?;
        Some([slice::get().unwrap(), work()])
    });
    thread.join().unwrap()
}

fn asked() -> libc::sched_attr {
    ask_for_short_slice();
    slice::get().unwrap()
}

#[test]
fn a_short_slice_leaves_the_nice_value() {
    let Some([before, after]) = scheduled(libc::SCHED_OTHER, 7, asked) else {
        println!("skipped: the slice may not be set here");
        return;
    };
    assert_eq!((after.sched_policy, after.sched_nice), (0, 7));
    if before.sched_runtime == 0 {
        println!("this kernel has no slices");
    } else {
        assert!(before.sched_runtime > after.sched_runtime);
        assert_eq!(after.sched_runtime, 100_000);
    }
}

#[test]
fn who_has_chosen_a_policy_keeps_it_with_its_slice() {
    for policy in [libc::SCHED_BATCH, libc::SCHED_IDLE] {
        let Some([before, after]) = scheduled(policy, 3, asked) else {
            println!("skipped: the policy may not be set here");
            return;
        };
        assert_eq!(after.sched_policy, policy.unsigned_abs());
        assert_eq!(
            (after.sched_nice, after.sched_runtime),
            (before.sched_nice, before.sched_runtime)
        );
    }
}
