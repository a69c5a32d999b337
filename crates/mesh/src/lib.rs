//! The primitives that two cores share: a shard's ownership word, the queues between shards, and the doorbell question.
//!
//! Nothing here knows what a shard, a request or a ring is. Four parts, and the places where a simulation
//! may interrupt them ([`step`]):
//!
//! ```text
//!   loan   loanable(value) -> (Owner, Arc<Loanable>)   who may touch the engine now: its owner, or one borrower
//!   spsc   channel(capacity) -> (Producer, Consumer)   a bounded queue from one core to one other core
//!   bell   Bell                                        "I pushed something: does its reader sleep?"
//!   doorstep   Doorstep                                a bell, and "has anything been pushed since I looked?"
//!   sequence   Sequence                                "was anything changed while I read?"
//! ```
//!
//! A request for another shard goes like this: `try_borrow`; if that succeeds, run the request there and then. If not,
//! `push` it to the queue and ask `Bell::needs_ring`; only a reader that is asleep costs a system call.
//!
//! `unsafe` lives in `loan.rs` and `spsc.rs` and nowhere else. All of it is model-checked with loom, which explores
//! every interleaving and every reordering that the memory model allows:
//! `RUSTFLAGS="--cfg loom" cargo test -p corecached-mesh --release --test mesh`.
//!
//! ```
//! use corecached_mesh::{Bell, loanable, spsc};
//!
//! // What a shard owns, the queue to it, and its bell.
//! let (mut owner, shard) = loanable(vec!["mine"]);
//! let (mut requests, mut inbox) = spsc::channel(8);
//! let bell = Bell::new();
//!
//! // The owner is parked: another core does the work itself.
//! shard.try_borrow().expect("nobody has it").push("done on loan");
//!
//! // The owner is in its turn: the other core leaves a message, and need not ring.
//! let mut turn = owner.resume();
//! assert!(shard.try_borrow().is_none());
//! requests.push("done by message").expect("there is room");
//! assert!(!bell.needs_ring());
//! while let Some(request) = inbox.pop() {
//!     turn.push(request);
//! }
//! assert_eq!(*turn, ["mine", "done on loan", "done by message"]);
//! ```

mod bell;
mod doorstep;
mod loan;
mod pad;
mod sequence;
pub mod spsc;
pub mod step;
mod sync;

pub use bell::Bell;
pub use doorstep::Doorstep;
pub use loan::{Holder, Loan, Loanable, Owner, Turn, loanable};
pub use sequence::{Begun, Sequence};
