//! All tests, over the driver that this module is called after.

#[path = "../../tests/reactor/common.rs"]
#[allow(dead_code, reason = "shared with the tests of tests/reactor")]
mod common;
mod model;
mod refused;
