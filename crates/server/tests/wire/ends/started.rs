//! What a filter, a limit or a missing right does to the start.

mod memlock;
mod space;

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Resource, Rlimit, Signal, geteuid, kill_process, setrlimit};

use crate::faults::eventually;
use crate::server::{Server, free_port, runs_on_epoll};

use crate::skip::skipped;

use super::filter::{deny, deny_from, deny_limits};
use super::{SOON, failed_start, is_other_server, lone};

/// Users of tests that root's rights would spoil: nobody runs anything as these.
const STRANGER_FIRST: u32 = 54_321;

static STRANGERS: AtomicU32 = AtomicU32::new(0);

/// A user without rights. Each is another one: what io_uring has locked is counted by user, and given back late.
fn stranger() -> u32 {
    STRANGER_FIRST + STRANGERS.fetch_add(1, Ordering::Relaxed)
}

/// Limits the server, as a user without rights if the test runs as root.
fn limit(command: &mut Command, resource: Resource, most: u64) {
    limit_as(command, stranger(), resource, most);
}

/// The same as a certain user.
fn limit_as(command: &mut Command, stranger: u32, resource: Resource, most: u64) {
    if geteuid().is_root() {
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

/// What denies io_uring: a call of it, and what that fails with.
fn denials() -> impl Iterator<Item = (libc::c_long, &'static str, i32)> {
    let calls = [
        (libc::SYS_io_uring_setup, "io_uring_setup"),
        (libc::SYS_io_uring_enter, "io_uring_enter"),
        (libc::SYS_io_uring_register, "io_uring_register"),
    ];
    let errors = [libc::EPERM, libc::EACCES, libc::ENOSYS];
    calls
        .into_iter()
        .flat_map(move |(call, name)| errors.map(|errno| (call, name, errno)))
}

/// As in a container with the usual profile: it says why, what that costs and what to do, and serves by epoll.
#[test]
fn where_io_uring_is_denied_it_goes_on_with_epoll() {
    if is_other_server() {
        return;
    }
    for (call, name, errno) in denials() {
        let options = ["-o", "io=auto"];
        let mut server = Server::start_prepared("127.0.0.1", 2, &options, &mut |command| {
            deny(command, &[call], errno);
        });
        eventually("it is ready", || {
            server.stderr_text().contains("corecached: ready on ")
        });
        let said = server.stderr_text();
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("epoll")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(
            lines[0].starts_with("corecached: going on with epoll, at ")
                && lines[0].contains(&format!("{name} is forbidden"))
                && lines[0].contains("SystemCallFilter=")
                && lines[0].contains("seccomp"),
            "{said}"
        );
        assert_eq!(server.connect().stats("")["libevent"], "epoll");
        for number in 0..16 {
            // Keys of both shards, by way of both; small, in pieces, and read right into memory.
            let (key, value) = (format!("key-{number}"), vec![b'v'; 1 << (number + 4)]);
            assert_eq!(server.connect().set(&key, &value), "STORED");
            assert_eq!(server.connect().get(&key).expect("a hit"), value);
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
    }
}

/// What a kernel of a distribution from 2019 knows is enough. Numbers of calls are given in the order in which they
/// come.
#[test]
fn it_serves_without_any_call_that_came_after_linux_5_0() {
    if is_other_server() {
        return;
    }
    let udp = free_port().to_string();
    let options = ["-o", "io=auto", "-U", &udp];
    let mut server = Server::start_prepared("127.0.0.1", 2, &options, &mut |command| {
        deny_from(command, libc::SYS_io_uring_setup);
    });
    for number in 0..16 {
        let (key, value) = (format!("key-{number}"), vec![b'v'; 1 << (number + 4)]);
        assert_eq!(server.connect().set(&key, &value), "STORED");
        assert_eq!(server.connect().get(&key).expect("a hit"), value);
    }
    assert_eq!(server.connect().stats("")["libevent"], "epoll");
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
}

/// An operator who asks for io_uring gets it, or a start that fails.
#[test]
fn io_uring_that_is_denied_ends_the_start_with_a_sentence() {
    if is_other_server() {
        return;
    }
    for (call, name, errno) in denials() {
        for options in [
            &["-t", "2", "-o", "io=uring"][..],
            &["-t", "1", "-o", "io=uring", "-d"],
        ] {
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

/// Threads of a server of two shards: with rings, glommio has one of its own beside each.
fn threads_needed() -> u64 {
    if runs_on_epoll() { 3 } else { 5 }
}

#[test]
fn threads_that_are_denied_end_the_start_with_a_sentence() {
    if is_other_server() {
        return;
    }
    let needed = threads_needed();
    for errno in [libc::EAGAIN, libc::EPERM, libc::ENOMEM] {
        let mut command = lone(&["-t", "2"]);
        deny(&mut command, &[libc::SYS_clone, libc::SYS_clone3], errno);
        let (code, said) = failed_start(&mut command);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.starts_with(&format!(
                "corecached: cannot start a thread, and {needed} are needed"
            )),
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
    let (mut sufficient, needed) = (0, threads_needed());
    for most in 1..=needed + 1 {
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
                Some(1),
                "with {most}: {first}"
            );
            assert!(first.contains("cannot start a thread"), "{first}");
        }
    }
    assert_eq!(sufficient, 2, "{needed} threads are needed");
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
        let mut server =
            Server::start_prepared("127.0.0.1", 2, &["-k", "--cpus", "0-1"], &mut |command| {
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

/// Options of sockets that a sandbox may deny: memcached says so and goes on. Without SO_REUSEPORT the shards share a
/// socket.
#[test]
fn options_of_sockets_may_be_denied() {
    let udp = free_port().to_string();
    let calls = [libc::SYS_setsockopt, libc::SYS_getsockname];
    for errno in [libc::EPERM, libc::ENOSYS, libc::ENOPROTOOPT] {
        let mut server = Server::start_prepared("127.0.0.1", 2, &["-U", &udp], &mut |command| {
            deny(command, &calls, errno);
        });
        for number in 0..16 {
            let (key, value) = (format!("key-{number}"), vec![b'v'; 1 << number]);
            assert_eq!(server.connect().set(&key, &value), "STORED");
            assert_eq!(server.connect().get(&key).expect("a hit"), value);
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit(SOON).code(), Some(0));
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
    let mut command = lone(&["-t", "1", "-o", "io=uring"]);
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
