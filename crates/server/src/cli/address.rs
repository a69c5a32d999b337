//! The values of `-l`: a list of addresses, each with optional prefixes.
//!
//! ```text
//!   list     address { (',' | ';') address }
//!   address  ['notls:' | 'btls:' | 'mtls:'] ['proto[' name ']:'] ['tag[' name ']:' | 'tag_' name '_:'] host [':' port]
//!   host     IPv4 | '[' IPv6 ']' | IPv6 without port | name | '*'
//! ```

use crate::base::listeners::{BindingProtocol, ListenAddress, Port, TlsKind};

use super::error::CliError;
use super::number::leading_integer;
use super::unsupported;

/// Longest name of a tag.
const TAG_BYTES_MAX: usize = 8;

/// All addresses of one `-l`.
pub(super) fn parse_list(text: &str) -> Result<Vec<ListenAddress>, CliError> {
    text.split([',', ';'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(parse)
        .collect()
}

/// The port of `-p` or of an address.
pub(super) fn parse_port(text: &str) -> Result<Port, CliError> {
    match leading_integer(text) {
        Some(0) => Ok(Port::Off),
        Some(-1) => Ok(Port::Ephemeral),
        Some(number) => match u16::try_from(number) {
            Ok(port) => Ok(Port::Fixed(port)),
            Err(_) => Err(invalid_port(text)),
        },
        None => Err(invalid_port(text)),
    }
}

/// The port of one address. 0 is what it is to the kernel, which then chooses; only `-p 0` turns TCP off.
fn port_of_address(text: &str) -> Result<Port, CliError> {
    match parse_port(text) {
        Ok(Port::Off) => Ok(Port::Ephemeral),
        Err(error) => Err(CliError::address(error.message)),
        port => port,
    }
}

fn invalid_port(text: &str) -> CliError {
    CliError::usage(format!("ERROR: Invalid port number {text}."))
}

fn parse(text: &str) -> Result<ListenAddress, CliError> {
    let (tls, rest) = tls(text);
    let (protocol, rest) = protocol(rest)?;
    let (tag, rest) = tag(rest)?;
    let (host, port) = host_and_port(rest, text)?;
    Ok(ListenAddress {
        host: (host != "*").then(|| host.to_owned()),
        port: port.map(port_of_address).transpose().map_err(|error| {
            error.advising(format!(
                "it is the port of -l {text}: a number from 1 to 65535"
            ))
        })?,
        protocol,
        tls,
        tag: tag.map(str::to_owned),
    })
}

fn tls(text: &str) -> (Option<TlsKind>, &str) {
    let kinds = [
        ("notls:", TlsKind::None),
        ("btls:", TlsKind::OneWay),
        ("mtls:", TlsKind::Mutual),
    ];
    for (prefix, kind) in kinds {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (Some(kind), rest);
        }
    }
    (None, text)
}

fn protocol(text: &str) -> Result<(Option<BindingProtocol>, &str), CliError> {
    let Some((name, rest)) = bracketed(text, "proto[")? else {
        return Ok((None, text));
    };
    let protocol = match name {
        "ascii" => BindingProtocol::Ascii,
        "negotiating" => BindingProtocol::Auto,
        "binary" => BindingProtocol::Binary,
        "proxy" => return Err(unsupported::refuse("-l proto[proxy]", "the proxy")),
        _ => {
            return Err(CliError::usage(format!(
                "Invalid protocol in -l: {name}\n -- should be one of ascii, binary, negotiating, or proxy"
            )));
        }
    };
    Ok((Some(protocol), rest))
}

fn tag(text: &str) -> Result<(Option<&str>, &str), CliError> {
    let found = match bracketed(text, "tag[")? {
        Some(found) => Some(found),
        // The older form of the prefix, without brackets.
        None => text
            .strip_prefix("tag_")
            .and_then(|rest| rest.split_once("_:")),
    };
    let Some((name, rest)) = found else {
        return Ok((None, text));
    };
    if name.is_empty() || name.len() > TAG_BYTES_MAX {
        return Err(CliError::usage(format!(
            "Listener tag must be between 1 and {TAG_BYTES_MAX} characters: {name}"
        )));
    }
    Ok((Some(name), rest))
}

/// Splits `prefix name]:rest` into name and rest.
fn bracketed<'a>(text: &'a str, prefix: &str) -> Result<Option<(&'a str, &'a str)>, CliError> {
    let Some(rest) = text.strip_prefix(prefix) else {
        return Ok(None);
    };
    match rest.split_once("]:") {
        Some(found) => Ok(Some(found)),
        None => Err(CliError::usage(format!(
            "Missing \"]:\" after {prefix} in -l {text}"
        ))),
    }
}

fn host_and_port<'a>(text: &'a str, whole: &str) -> Result<(&'a str, Option<&'a str>), CliError> {
    let malformed = || {
        CliError::address(format!("Invalid address in -l: \"{whole}\"")).advising(
            "-l takes addresses such as 10.0.0.5, 10.0.0.5:11211, [::1]:11211 or a host's name",
        )
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(malformed)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(malformed()),
        };
    }
    match text.matches(':').count() {
        0 if !text.is_empty() => Ok((text, None)),
        1 => {
            let (host, port) = text.split_once(':').ok_or_else(malformed)?;
            if host.is_empty() {
                return Err(malformed());
            }
            Ok((host, Some(port)))
        }
        // A host with several colons and no brackets is an IPv6 address without port. It may name its link:
        // fe80::1%eth0.
        _ if is_ipv6(text.split_once('%').map_or(text, |(address, _)| address)) => Ok((text, None)),
        _ => Err(malformed()),
    }
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> ListenAddress {
        let mut list = parse_list(text).unwrap();
        assert_eq!(list.len(), 1, "{text}");
        list.remove(0)
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(one("10.0.0.1"), ListenAddress::host("10.0.0.1"));
        assert_eq!(one("name.example:5001").port, Some(Port::Fixed(5001)));
        assert_eq!(one("::1"), ListenAddress::host("::1"));
        assert_eq!(one("[::1]"), ListenAddress::host("::1"));
        let v6 = one("[fe80::1]:-1");
        assert_eq!(
            (v6.host.as_deref(), v6.port),
            (Some("fe80::1"), Some(Port::Ephemeral))
        );
        let any = one("*:0");
        assert_eq!((any.host, any.port), (None, Some(Port::Ephemeral)));
        assert_eq!(one("fe80::1%eth0"), ListenAddress::host("fe80::1%eth0"));
        assert_eq!(one("[fe80::1%2]:5").host.as_deref(), Some("fe80::1%2"));
    }

    #[test]
    fn lists_have_two_separators() {
        let hosts: Vec<_> = parse_list("127.0.0.1,[::1]:2;*,")
            .unwrap()
            .into_iter()
            .map(|a| a.host)
            .collect();
        assert_eq!(hosts, [Some("127.0.0.1".into()), Some("::1".into()), None]);
    }

    #[test]
    fn prefixes_come_before_the_host() {
        let address = one("notls:proto[ascii]:tag[front]:127.0.0.1:5002");
        assert_eq!(address.protocol, Some(BindingProtocol::Ascii));
        assert_eq!(address.tls, Some(TlsKind::None));
        assert_eq!(address.tag.as_deref(), Some("front"));
        assert_eq!(address.host.as_deref(), Some("127.0.0.1"));
        assert_eq!(address.port, Some(Port::Fixed(5002)));
        assert_eq!(one("btls:h").tls, Some(TlsKind::OneWay));
        assert_eq!(one("mtls:tag[a]:h").tls, Some(TlsKind::Mutual));
        assert_eq!(one("tag_old_:localhost").tag.as_deref(), Some("old"));
        assert_eq!(
            one("proto[negotiating]:*").protocol,
            Some(BindingProtocol::Auto)
        );
        assert_eq!(
            one("proto[binary]:[::1]:5").protocol,
            Some(BindingProtocol::Binary)
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "127.0.0.1:99999",
            "127.0.0.1:http",
            ":11211",
            "[::1",
            "[::1]x",
            "a:b:c",
        ] {
            assert_eq!(
                parse_list(text).unwrap_err().code,
                super::super::error::EXIT_ADDRESS,
                "{text}"
            );
        }
        for text in [
            "tag[]:h",
            "tag[toolongname]:h",
            "tag[open:h",
            "proto[gopher]:h",
        ] {
            assert_eq!(
                parse_list(text).unwrap_err().code,
                super::super::error::EXIT_USAGE,
                "{text}"
            );
        }
        let message = parse_list("proto[proxy]:h").unwrap_err().message;
        assert!(
            message.contains("not supported by this version"),
            "{message}"
        );
    }
}
