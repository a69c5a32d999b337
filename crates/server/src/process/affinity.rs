//! The CPU that each shard stays on, so that two servers on a machine do not both use CPU 0.
//!
//! ```text
//!   --cpus LIST    shard N on the Nth CPU of the list, whatever other servers run there
//!   -o no_pin      shards are not pinned
//!   otherwise      each on a CPU that the process may run on and no other server has claimed; if there are not as
//!                  many, all shards go where the scheduler puts them
//! ```
//!
//! A claim on a CPU is a datagram socket with an abstract name, which the kernel gives to one process at a time and
//! takes back when that process ends, however it ends. A process that cannot make such sockets pins without a claim.
//! Claims are seen by servers in the same network namespace; containers that have their own are kept apart by their CPU
//! sets, or by these options.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Once;

use tracing::info;

use crate::base::config::Config;
use crate::base::cpus::Pinning;

use super::logging::say_warning as say;

/// The CPUs of this server's shards, claimed as long as this value lives.
#[derive(Debug, Default)]
pub(crate) struct Cpus {
    /// The CPUs, by shard; empty if shards are not pinned.
    cpus: Vec<usize>,
    #[expect(dead_code, reason = "a claim lasts as long as its socket")]
    claims: Vec<UnixDatagram>,
}

impl Cpus {
    /// Chooses CPUs for all shards, or for none.
    pub(crate) fn choose(config: &Config) -> Cpus {
        let shards = config.threads;
        let (cpus, claims) = match config.pinning {
            Pinning::Never => return Cpus::default(),
            _ if shards > config.cpus.len() => return Cpus::default(),
            Pinning::Listed => (config.cpus[..shards].to_vec(), Vec::new()),
            Pinning::IfFree => claim(&config.cpus, shards, bind),
        };
        if cpus.is_empty() {
            info!(
                "shards are not pinned: other servers have claimed CPUs; --cpus names some for this one"
            );
        }
        Cpus { cpus, claims }
    }

    /// The CPU of a shard.
    pub(crate) fn of(&self, shard: usize) -> Option<usize> {
        self.cpus.get(shard).copied()
    }
}

/// Claims the first `wanted` of `cpus` that are free; claims nothing if there are fewer.
fn claim<T>(
    cpus: &[usize],
    wanted: usize,
    bind: impl Fn(usize) -> io::Result<T>,
) -> (Vec<usize>, Vec<T>) {
    let (mut chosen, mut claims) = (Vec::new(), Vec::new());
    for &cpu in cpus {
        match bind(cpu) {
            Ok(claim) => claims.push(claim),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
            Err(_) => {}
        }
        chosen.push(cpu);
        if chosen.len() == wanted {
            return (chosen, claims);
        }
    }
    (Vec::new(), Vec::new())
}

fn bind(cpu: usize) -> io::Result<UnixDatagram> {
    let name = format!("corecached-cpu-{cpu}");
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// Keeps the calling thread, and the threads that it starts, on `cpu`. Returns true if this has an effect: a container
/// or a service may not be allowed to choose, and is then slower, but not worse.
pub(crate) fn pin(cpu: usize) -> bool {
    static SAID: Once = Once::new();
    let pinned = set_affinity(cpu);
    if let Err(error) = &pinned {
        SAID.call_once(|| {
            say(format_args!(
                "warning: shards are not pinned to CPUs: sched_setaffinity for CPU {cpu} failed: {error}. Everything works, \
                 with more moves between CPUs; where a seccomp filter denies it, `SystemCallFilter=sched_setaffinity` in the \
                 systemd unit, after the lines that deny, or the container's profile allows it"
            ));
        });
    }
    pinned.is_ok()
}

fn set_affinity(cpu: usize) -> io::Result<()> {
    // SAFETY: cpu_set_t is an array of integers, for which all zeroes are a value: the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if cpu >= 8 * size_of_val(&set) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: CPU_SET sets the bit `cpu` of a set that lives here, and cpu is below its number of bits.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads `size_of(set)` bytes of `set`, which lives through the call. 0 is this thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn two_servers_have_cpus_of_their_own() {
        let taken = RefCell::new(vec![2]);
        let bind = |cpu| match taken.borrow().contains(&cpu) {
            true => Err(io::ErrorKind::AddrInUse.into()),
            false => Ok(cpu),
        };
        let (first, claims) = claim(&[0, 1, 2, 3, 4], 2, bind);
        assert_eq!(
            (first.as_slice(), claims.as_slice()),
            (&[0, 1][..], &[0, 1][..])
        );
        taken.borrow_mut().extend(claims);
        let (second, claims) = claim(&[0, 1, 2, 3, 4], 2, bind);
        assert_eq!(second, [3, 4]);
        taken.borrow_mut().extend(claims);
        assert_eq!(claim(&[0, 1, 2, 3, 4], 1, bind).0, []);
    }

    #[test]
    fn where_nothing_can_be_claimed_shards_are_pinned_all_the_same() {
        let denied = |_| Err::<(), _>(io::ErrorKind::PermissionDenied.into());
        assert_eq!(claim(&[4, 5], 2, denied).0, [4, 5]);
        assert_eq!(claim(&[4], 2, denied).0, []);
    }

    #[test]
    fn the_kernel_gives_a_name_to_one_at_a_time() {
        // No machine has this CPU.
        let cpu = 1_000_000 + std::process::id() as usize;
        let claim = bind(cpu).unwrap();
        assert_eq!(bind(cpu).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(claim);
        assert!(bind(cpu).is_ok());
    }

    #[test]
    fn options_say_it_outright() {
        let config = Config {
            threads: 2,
            cpus: vec![7, 3],
            pinning: Pinning::Listed,
            ..Config::default()
        };
        let listed = Cpus::choose(&config);
        assert_eq!(
            [listed.of(0), listed.of(1), listed.of(2)],
            [Some(7), Some(3), None]
        );
        let pinning = Pinning::Never;
        assert_eq!(
            Cpus::choose(&Config {
                pinning,
                ..config.clone()
            })
            .of(0),
            None
        );
        // More shards than CPUs.
        assert_eq!(
            Cpus::choose(&Config {
                threads: 3,
                ..config
            })
            .of(0),
            None
        );
    }
}
