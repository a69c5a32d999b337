//! The head of a request: what is asked for, and which requests are refused without asking the site.

use std::net::IpAddr;

use crate::answer::{Answer, Sent};

/// A request that is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The path that is asked for, with the query if there is one.
    pub target: &'a str,
    /// The header lines.
    headers: &'a str,
}

impl<'a> Request<'a> {
    /// The path without a query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The values of all headers of this name.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.split("\r\n").filter_map(move |line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The bytes that are sent for a whole head, which ends with an empty line. `is_local` says that the server is on a
/// loopback address.
pub(crate) fn answer(
    head: &[u8],
    is_local: bool,
    site: &mut impl FnMut(&Request<'_>) -> Answer,
) -> Vec<u8> {
    let Some((method, request)) = str::from_utf8(head).ok().and_then(parse) else {
        return refused(
            "400 Bad Request",
            "This is no request of HTTP/1.0 or HTTP/1.1.",
        );
    };
    let sent = match method {
        "GET" => Sent::Whole,
        "HEAD" => Sent::Headers,
        _ => {
            let refusal = Answer::refusal(
                "405 Method Not Allowed",
                "There is nothing to change here: only GET and HEAD are answered.",
            );
            return refusal
                .with_headers("Allow: GET, HEAD\r\n")
                .into_bytes(Sent::Whole);
        }
    };
    if is_local && !request.header("host").all(is_local_host) {
        let sentence = "On a loopback address only names of this machine are answered, such as localhost: the request \
                        names another host.";
        return Answer::refusal("421 Misdirected Request", sentence).into_bytes(sent);
    }
    site(&request).into_bytes(sent)
}

/// The bytes of a refusal.
pub(crate) fn refused(status: &'static str, sentence: &str) -> Vec<u8> {
    Answer::refusal(status, sentence).into_bytes(Sent::Whole)
}

/// The method and the rest of a head.
fn parse(head: &str) -> Option<(&str, Request<'_>)> {
    let (line, headers) = head.split_once("\r\n")?;
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_whole = words.next().is_none() && !method.is_empty() && !target.is_empty();
    let is_known = version.starts_with("HTTP/1.");
    (is_whole && is_known).then_some((method, Request { target, headers }))
}

/// Whether a browser that asks for this host means this machine. A page from elsewhere whose name leads to 127.0.0.1
/// has its own name here, and could read what only this machine's users may.
fn is_local_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reply to a request.
    fn reply(request: &[u8], is_local: bool) -> String {
        let mut site = |request: &Request<'_>| match request.path() {
            "/" => Answer::ok("text/plain", "here"),
            _ => Answer::refusal("404 Not Found", "There is no such thing."),
        };
        String::from_utf8(answer(request, is_local, &mut site)).unwrap()
    }

    fn status(request: &[u8], is_local: bool) -> String {
        reply(request, is_local).lines().next().unwrap().to_owned()
    }

    #[test]
    fn requests_are_answered_or_refused() {
        for (request, expected) in [
            (
                &b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"[..],
                "200 OK",
            ),
            (b"GET / HTTP/1.0\r\n\r\n", "200 OK"),
            (b"GET /?x=/else HTTP/1.1\r\n\r\n", "200 OK"),
            (b"HEAD / HTTP/1.1\r\n\r\n", "200 OK"),
            (b"GET /else HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"GET ../../etc/passwd HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"POST / HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            (b"get / HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            (b"\r\n\r\n", "400 Bad Request"),
            (b"GET / HTTP/2.0\r\n\r\n", "400 Bad Request"),
            (b"GET /\r\n\r\n", "400 Bad Request"),
            (b"GET  HTTP/1.1\r\n\r\n", "400 Bad Request"),
            (b"GET / HTTP/1.1 x\r\n\r\n", "400 Bad Request"),
            (b"stats\r\n\r\n", "400 Bad Request"),
            (b"\xff\xfe\r\n\r\n", "400 Bad Request"),
        ] {
            assert_eq!(
                status(request, true),
                format!("HTTP/1.1 {expected}"),
                "{request:?}"
            );
        }
    }

    #[test]
    fn a_head_is_answered_as_a_get_without_the_body() {
        let get = reply(b"GET / HTTP/1.1\r\n\r\n", true);
        let head = reply(b"HEAD / HTTP/1.1\r\n\r\n", true);
        assert_eq!(get.strip_suffix("here"), Some(&*head));
        assert!(head.contains("Content-Length: 4\r\n"), "{head}");
        let refused = reply(b"PUT / HTTP/1.1\r\n\r\n", true);
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
        assert!(refused.ends_with(" are answered.\n"), "{refused}");
    }

    #[test]
    fn headers_are_found_by_any_case() {
        let head = "GET /a?b HTTP/1.1\r\nAccept: x\r\nnonsense\r\naCCEPT:  y \r\n\r\n";
        let (method, request) = parse(head).unwrap();
        assert_eq!(
            (method, request.target, request.path()),
            ("GET", "/a?b", "/a")
        );
        assert_eq!(request.header("accept").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(request.header("host").next(), None);
    }

    #[test]
    fn on_loopback_the_name_of_another_site_is_refused() {
        for (host, is_taken) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("LOCALHOST", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
        ] {
            let request = format!("GET / HTTP/1.1\r\nhOsT: {host}\r\n\r\n");
            assert_eq!(
                status(request.as_bytes(), true).contains("200"),
                is_taken,
                "{host}"
            );
            assert!(status(request.as_bytes(), false).contains("200"), "{host}");
        }
    }
}
