//! Tests that need a kernel which refuses: they look at the reactor from outside otherwise, as those of `tests/reactor`.

#[path = "../../tests/reactor/common.rs"]
#[allow(dead_code, reason = "shared with the tests of tests/reactor")]
mod common;
pub(crate) mod faults;
mod model;
mod refused;
