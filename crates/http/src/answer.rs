//! The answer to a request: a status, a type and a body.

/// How much of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Headers and body.
    Whole,
    /// The headers alone, in reply to a HEAD.
    Headers,
}

/// What is sent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: &'static str,
    kind: &'static str,
    headers: &'static str,
    body: String,
}

impl Answer {
    /// An answer with status 200 and a body of the media type `kind`.
    #[must_use]
    pub fn ok(kind: &'static str, body: impl Into<String>) -> Self {
        Self {
            status: "200 OK",
            kind,
            headers: "",
            body: body.into(),
        }
    }

    /// An answer with another status, such as `404 Not Found`, and a sentence that says why, for a person who reads it.
    #[must_use]
    pub fn refusal(status: &'static str, sentence: impl Into<String>) -> Self {
        let mut body = sentence.into();
        body.push('\n');
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            headers: "",
            body,
        }
    }

    /// The same answer with further header lines, each of which ends with `\r\n`.
    #[must_use]
    pub fn with_headers(self, headers: &'static str) -> Self {
        Self { headers, ..self }
    }

    /// The bytes of the answer.
    pub(crate) fn into_bytes(self, sent: Sent) -> Vec<u8> {
        let Self {
            status,
            kind,
            headers,
            body,
        } = self;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             {headers}\r\n"
        );
        let mut bytes = head.into_bytes();
        if sent == Sent::Whole {
            bytes.extend_from_slice(body.as_bytes());
        }
        bytes
    }
}
