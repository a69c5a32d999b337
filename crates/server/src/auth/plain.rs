//! SASL PLAIN (RFC 4616): one message, `[authorization identity] NUL user NUL password`.

/// The name of the mechanism.
pub(crate) use corecached_protocol::binary::MECHANISM_PLAIN as MECHANISM;

/// User and password of a message. `None` if it is not a message of PLAIN.
///
/// No user may act for another one here: if the authorization identity is not the user, the message is not accepted.
pub(crate) fn parse(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = message.splitn(3, |&byte| byte == 0);
    let (identity, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let valid = !user.is_empty() && !password.contains(&0);
    (valid && (identity.is_empty() || identity == user)).then_some((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        for (message, parsed) in [
            (&b"\0user\0secret"[..], Some((&b"user"[..], &b"secret"[..]))),
            (b"user\0user\0secret", Some((b"user", b"secret"))),
            (b"\0user\0", Some((b"user", b""))),
            (b"other\0user\0secret", None),
            (b"\0user\0sec\0ret", None),
            (b"\0\0secret", None),
            (b"user\0secret", None),
            (b"", None),
        ] {
            assert_eq!(parse(message), parsed, "{message:?}");
        }
    }
}
