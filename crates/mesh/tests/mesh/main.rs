//! The mesh from outside: threads that try hard to break it, and, under `--cfg loom`, every interleaving of small
//! models.

#[cfg(loom)]
mod loom_bell;
#[cfg(loom)]
mod loom_doorstep;
#[cfg(loom)]
mod loom_loan;
#[cfg(loom)]
mod loom_sequence;
#[cfg(loom)]
mod loom_spsc;

#[cfg(not(loom))]
mod stress;
