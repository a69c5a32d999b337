//! What a filter, a limit or a missing right does to the start.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Resource, Rlimit, Signal, geteuid, kill_process, setrlimit};

use crate::faults::eventually;
use crate::server::{Server, free_port};

use crate::skip::skipped;

use super::filter::{deny, deny_limits};
use super::{SOON, failed_start, is_other_server, lone};

/// Users of tests that root's rights would spoil: nobody runs anything as these.
const STRANGER_FIRST: u32 = 54_321;
static STRANGERS: AtomicU32 = AtomicU32::new(0);

/// Limits the server, as a user without rights if the test runs as root.
fn limit(command: &mut Command, resource: Resource, most: u64) {
    if geteuid().is_root() {
        // Each is another one: what io_uring has locked is counted by user, and given back late.
        let stranger = STRANGER_FIRST + STRANGERS.fetch_add(1, Ordering::Relaxed);
        command.uid(stranger).gid(stranger);
    }
    let limits = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    let work = move || Ok(setrlimit(resource, limits)?);
    // SAFETY: the closure makes one system call.
    unsafe { command.pre_exec(work) };
}

#[test]
fn io_uring_that_is_denied_ends_the_start_with_a_sentence() {
    if is_other_server() {
        return;
    }
    for (call, name) in [
        (libc::SYS_io_uring_setup, "io_uring_setup"),
        (libc::SYS_io_uring_enter, "io_uring_enter"),
        (libc::SYS_io_uring_register, "io_uring_register"),
    ] {
        for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS] {
            for options in [&["-t", "2"][..], &["-t", "1", "-d"]] {
                let mut command = lone(options);
                deny(&mut command, &[call], errno);
                let (code, said) = failed_start(&mut command);
                assert_eq!(code, Some(1), "{name} {errno} {options:?}: {said}");
                assert!(
                    said.starts_with(&format!("corecached: {name} is forbidden")),
                    "{said}"
                );
                assert!(
                    said.contains("SystemCallFilter=") && said.contains("seccomp"),
                    "{said}"
                );
                assert_eq!(said.lines().count(), 1, "{said}");
            }
        }
    }
}

#[test]
fn threads_that_are_denied_end_the_start_with_a_sentence() {
    if is_other_server() {
        return;
    }
    for errno in [libc::EAGAIN, libc::EPERM, libc::ENOMEM] {
        let mut command = lone(&["-t", "2"]);
        deny(&mut command, &[libc::SYS_clone, libc::SYS_clone3], errno);
        let (code, said) = failed_start(&mut command);
        assert_eq!(code, Some(71), "{said}");
        assert!(
            said.starts_with("corecached: cannot start a thread, and 5 are needed"),
            "{said}"
        );
        assert!(
            said.contains("LimitNPROC=") && said.contains("ulimit -u"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// Whatever the limit: all threads or none. Only root can become a user who runs nothing else.
#[test]
fn a_limit_on_threads_is_enough_or_named() {
    if is_other_server() || !geteuid().is_root() {
        return skipped("only root can become another user");
    }
    let mut sufficient = 0;
    for most in 1..=6 {
        let mut command = lone(&["-t", "2"]);
        limit(&mut command, Resource::Nproc, most);
        let mut child = command.spawn().expect("the server binary can be executed");
        let first = first_line(&mut child);
        if first.contains("ready on") {
            sufficient += 1;
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            assert_eq!(super::ended(&mut child).code(), Some(0), "with {most}");
        } else {
            assert_eq!(
                super::ended(&mut child).code(),
                Some(71),
                "with {most}: {first}"
            );
            assert!(first.contains("cannot start a thread"), "{first}");
        }
    }
    assert_eq!(sufficient, 2, "five threads are needed");
}

/// What the server asks for and can do without: it runs, and ends when it is told to.
#[test]
fn what_is_only_useful_may_be_denied() {
    if is_other_server() {
        return;
    }
    let scheduling = [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_setpriority,
        libc::SYS_ioprio_set,
    ];
    let memory = [
        libc::SYS_mbind,
        libc::SYS_set_mempolicy,
        libc::SYS_move_pages,
        libc::SYS_migrate_pages,
        libc::SYS_mlock,
        libc::SYS_mlock2,
        libc::SYS_mlockall,
    ];
    let questions = [
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_getattr,
        libc::SYS_getcpu,
        libc::SYS_uname,
        libc::SYS_sysinfo,
        libc::SYS_get_mempolicy,
        libc::SYS_membarrier,
        libc::SYS_getgroups,
    ];
    let all = [&scheduling[..], &memory, &questions].concat();
    for (calls, errno) in [
        (&scheduling[..], libc::EPERM),
        (&memory, libc::EPERM),
        (&questions, libc::EPERM),
        (&all, libc::EPERM),
        (&all, libc::ENOSYS),
        (&all, libc::EACCES),
    ] {
        let mut server = Server::start_prepared("127.0.0.1", 2, &["-k"], &mut |command| {
            deny(command, calls, errno);
            deny_limits(command, errno);
        });
        eventually("it is ready", || {
            server.stderr_text().contains("corecached: ready on ")
        });
        let said = server.stderr_text();
        let is_pinned = !calls.contains(&libc::SYS_sched_setaffinity);
        assert_eq!(
            said.matches("not pinned").count(),
            usize::from(!is_pinned),
            "{said}"
        );
        for _ in 0..8 {
            assert_eq!(server.connect().set("key", b"value"), "STORED");
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
    }
}

/// Calls that every program makes: one of them denied is a start that fails or a server that runs, nothing between.
#[test]
fn whatever_is_denied_it_serves_or_ends() {
    if is_other_server() {
        return;
    }
    for call in [
        libc::SYS_eventfd2,
        libc::SYS_pipe2,
        libc::SYS_socket,
        libc::SYS_setsockopt,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_getsockname,
        libc::SYS_madvise,
        libc::SYS_getrandom,
        libc::SYS_fcntl,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigtimedwait,
        libc::SYS_rt_sigaction,
        libc::SYS_clock_nanosleep,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_statx,
        libc::SYS_prctl,
        libc::SYS_shutdown,
    ] {
        let mut command = lone(&["-t", "2"]);
        deny(&mut command, &[call], libc::EPERM);
        let Ok(mut child) = command.spawn() else {
            continue; // not even the loader can do without
        };
        let first = first_line(&mut child);
        if first.contains("ready on") {
            // If it cannot wait for it either, it has ended by itself.
            let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        }
        let code = super::ended(&mut child).code();
        let is_orderly = code == Some(0) && first.contains("ready on");
        assert!(
            is_orderly || code != Some(0),
            "call {call}: {code:?} {first}"
        );
        assert!(!first.is_empty(), "call {call}: {code:?}, and no word");
    }
}

#[test]
fn the_memlock_limit_that_is_asked_for_suffices() {
    if is_other_server() || !geteuid().is_root() {
        return skipped("only root can become another user");
    }
    for shards in ["1", "2", "4", "9"] {
        let mut figures = Vec::new();
        // Too low to try, and, where the kernel counts rings, too low to succeed.
        for kilobytes in [64, 512] {
            let mut command = lone(&["-t", shards]);
            limit(&mut command, Resource::Memlock, kilobytes << 10);
            let mut child = command.spawn().expect("the server binary can be executed");
            let first = first_line(&mut child);
            if first.contains("ready on") {
                assert_eq!(kilobytes, 512);
                child.kill().expect("the child is ours");
                continue;
            }
            assert_eq!(super::ended(&mut child).code(), Some(1), "{first}");
            let (before, _) = first
                .split_once(" KiB are needed")
                .expect("it says how much");
            let figure = before.rsplit(' ').next().unwrap_or_default();
            figures.push(figure.parse::<u64>().expect("a number"));
        }
        assert!(
            figures.iter().all(|figure| *figure == figures[0]),
            "{figures:?}"
        );
        let udp = free_port().to_string();
        let options = ["-k", "-U", &udp];
        let shards = shards.parse().unwrap();
        let server = Server::start_prepared("127.0.0.1", shards, &options, &mut |command| {
            limit(command, Resource::Memlock, figures[0] << 10);
        });
        for number in 0..200 {
            let key = format!("key-{number}");
            assert_eq!(server.connect().set(&key, [b'v'; 9000]), "STORED");
        }
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("stderr is piped");
    BufReader::new(stderr)
        .read_line(&mut line)
        .expect("it is text");
    line
}

#[test]
fn a_limit_that_cannot_be_read_ends_the_start_with_a_sentence() {
    if is_other_server() {
        return;
    }
    let mut command = lone(&["-t", "1"]);
    deny(&mut command, &[libc::SYS_prlimit64], libc::EPERM);
    let (code, said) = failed_start(&mut command);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("where a seccomp filter denies prlimit64, allow it"),
        "{said}"
    );
}

#[test]
fn with_few_descriptors_there_are_fewer_connections() {
    if is_other_server() || !geteuid().is_root() {
        return skipped("only root can become another user");
    }
    let server = Server::start_prepared("127.0.0.1", 1, &["-c", "5000"], &mut |command| {
        limit(command, Resource::Nofile, 200);
    });
    eventually("it says so", || {
        server
            .stderr_text()
            .contains("warning: -c 5000 becomes -c ")
    });
    let mut clients: Vec<_> = (0..300).map(|_| server.connect()).collect();
    let served: u64 = clients[0].stats("settings")["maxconns"].parse().unwrap();
    assert!((100..200).contains(&served), "{served}");
    let told = clients.iter_mut().filter_map(|client| {
        client.try_send("version\r\n").ok()?;
        client.peek().ok().flatten().map(|_| client.line())
    });
    let answered = told.filter(|line| line.starts_with("VERSION")).count();
    assert_eq!(answered as u64, served);
    // Not a single one is too few.
    let mut command = lone(&["-t", "4"]);
    limit(&mut command, Resource::Nofile, 60);
    let (code, said) = failed_start(&mut command);
    assert_eq!(code, Some(71), "{said}");
    assert!(said.contains("too few for a connection"), "{said}");
}
