//! Where memory comes from, and which class has how much of it.
//!
//! ```text
//! allocate  ->  a free chunk | a page of the pool | an eviction in the class | a larger chunk | a page of another class
//!                                                        evict/                 larger.rs       steal.rs -> drain.rs
//! ```
//!
//! | file | what is in it |
//! | --- | --- |
//! | `allocate.rs`, `larger.rs`, `last.rs` | the steps above, in their order, and the last resort |
//! | `steal.rs`, `drain.rs` | choosing a page, and emptying it in steps |
//! | `balance.rs`, `activity.rs`, `age.rs` | how much memory each class has, and what for; pages that are not used |
//! | `condense.rs`, `prefault.rs` | memory given back by a smaller index; memory that is there ahead |
//! | `lend.rs`, `reassign.rs` | pages for other shards, and pages moved on request |

pub(crate) mod activity;
pub(crate) mod age;
pub(crate) mod allocate;
pub(crate) mod balance;
pub(crate) mod condense;
pub(crate) mod drain;
pub(crate) mod larger;
pub(crate) mod last;
pub(crate) mod lend;
pub(crate) mod prefault;
pub(crate) mod reassign;
pub(crate) mod steal;
