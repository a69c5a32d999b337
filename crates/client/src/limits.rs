//! How much may be on its way to a server at once, blocking or not.

/// The most bytes of unanswered requests on their way at once, if there are several requests. A server's receive buffer
/// holds more.
pub(crate) const PIPELINE_BYTES: usize = 32 * 1024;

/// The most keys of one request: at their longest they take less than [`PIPELINE_BYTES`].
pub(crate) const KEYS_AT_ONCE: usize = 100;
