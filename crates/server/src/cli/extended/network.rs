//! `-o` of sockets and connections.

use std::net::{Ipv4Addr, SocketAddr};

use corecached_reactor::Io;

use crate::base::config::Config;
use crate::cli::error::CliError;
use crate::cli::number::{atoi, leading_integer, whole_u32};

use super::values::unparsable;

pub(super) fn shard_port(config: &mut Config, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(port @ 1..=65535) => config.shard_port = port as u16,
        _ => return Err(CliError::failure("shard_port must be between 1 and 65535")),
    }
    Ok(())
}

/// A port of the loopback address, or an address and a port.
pub(super) fn metrics(config: &mut Config, text: &str) -> Result<(), CliError> {
    let address = match text.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => text.parse(),
    };
    let address = address.ok().filter(|address| address.port() != 0);
    config.metrics = Some(address.ok_or_else(|| {
        CliError::failure(format!(
            "metrics takes a port, or an address with a port, such as 9150, 10.0.0.5:9150 or [::1]:9150, not \"{text}\""
        ))
    })?);
    Ok(())
}

pub(super) fn io(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.io = match text {
        "auto" => None,
        "uring" => Some(Io::Uring),
        "epoll" => Some(Io::Epoll),
        _ => return Err(CliError::failure("io must be auto, uring or epoll")),
    };
    Ok(())
}

pub(super) fn sock_cookie_id(config: &mut Config, text: &str) -> Result<(), CliError> {
    // memcached does not look whether it could read the number.
    config.socket_mark = whole_u32(text).unwrap_or(0);
    Ok(())
}

pub(super) fn idle_timeout(config: &mut Config, text: &str) -> Result<(), CliError> {
    // A negative number is a time that never ends.
    config.idle_timeout_seconds = u32::try_from(atoi(text)).unwrap_or(0);
    Ok(())
}

pub(super) fn read_buf_mem_limit(config: &mut Config, text: &str) -> Result<(), CliError> {
    let megabytes = whole_u32(text).ok_or_else(|| unparsable("read_buf_mem_limit"))?;
    config.read_buf_mem_limit_bytes = u64::from(megabytes) << 20;
    Ok(())
}

pub(super) fn conn_mem_limit(config: &mut Config, text: &str) -> Result<(), CliError> {
    // Our own: nothing is cut off.
    let megabytes: u32 = text.parse().map_err(|_| unparsable("conn_mem_limit"))?;
    config.conn_mem_limit_bytes = u64::from(megabytes) << 20;
    Ok(())
}
