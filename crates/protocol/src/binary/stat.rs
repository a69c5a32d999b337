//! STAT: nothing, or the name of a subcommand as the key.

use super::packet::Packet;
use super::request::BinaryRequest;
use crate::text::{DetailMode, StatsRequest};

/// Parses a request for statistics. Of the first three names only the beginning counts.
pub(super) fn parse<'a>(packet: &Packet<'a>) -> Option<BinaryRequest<'a>> {
    if !packet.extras.is_empty() || packet.value_bytes != 0 {
        return None;
    }
    let stats = match packet.key {
        b"" => StatsRequest::General,
        [b'r', b'e', b's', b'e', b't', ..] => StatsRequest::Reset,
        [b's', b'e', b't', b't', b'i', b'n', b'g', b's', ..] => StatsRequest::Settings,
        b"items" => StatsRequest::Items,
        b"slabs" => StatsRequest::Slabs,
        b"sizes" => StatsRequest::Sizes,
        b"hotkeys" => StatsRequest::HotKeys { reset: false },
        b"hotkeys reset" => StatsRequest::HotKeys { reset: true },
        b"mrc" => StatsRequest::Mrc { reset: false },
        b"mrc reset" => StatsRequest::Mrc { reset: true },
        b"latency" => StatsRequest::Latency { reset: false },
        b"latency reset" => StatsRequest::Latency { reset: true },
        other => detail(other).map_or(StatsRequest::Other(other), StatsRequest::Detail),
    };
    Some(BinaryRequest::Stat(stats))
}

fn detail(name: &[u8]) -> Option<DetailMode> {
    let mode = name.strip_prefix(b"detail ")?;
    if mode.starts_with(b"dump") {
        Some(DetailMode::Dump)
    } else if mode.starts_with(b"on") {
        Some(DetailMode::On)
    } else if mode.starts_with(b"off") {
        Some(DetailMode::Off)
    } else {
        None
    }
}
