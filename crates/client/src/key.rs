//! The keys that can be sent, and their encoding.
//!
//! ```text
//!                       text     meta                     binary
//!   1 to 250 plain      as is    as is                    as is
//!   spaces, controls    refused  base64, up to 186 bytes  as is, up to 250 bytes
//! ```

use crate::wire::key::{BASE64_KEY_BYTES_MAX, is_plain};
use crate::{Error, KEY_BYTES_MAX, Protocol};

/// How a key goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Base64,
}

/// How `key` is sent in `protocol`.
pub(crate) fn encoding(key: &[u8], protocol: Protocol) -> Result<Encoding, Error> {
    if key.is_empty() {
        return Err(Error::Key("it is empty"));
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::Key("it is longer than 250 bytes"));
    }
    match protocol {
        Protocol::Binary => Ok(Encoding::Plain),
        _ if is_plain(key) => Ok(Encoding::Plain),
        Protocol::Text => Err(Error::Key(
            "it has spaces or control bytes, which the text protocol cannot send",
        )),
        Protocol::Meta if key.len() > BASE64_KEY_BYTES_MAX => Err(Error::Key(
            "it has spaces or control bytes and more than 186 bytes, too many for base64",
        )),
        Protocol::Meta => Ok(Encoding::Base64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sent_as_the_protocol_can() {
        let long = vec![b'k'; 251];
        let spaced = vec![b' '; 187];
        for protocol in [Protocol::Text, Protocol::Meta, Protocol::Binary] {
            assert!(encoding(b"", protocol).is_err());
            assert!(encoding(&long, protocol).is_err());
            assert_eq!(encoding(&long[1..], protocol).unwrap(), Encoding::Plain);
        }
        assert!(encoding(b"a b", Protocol::Text).is_err());
        assert_eq!(encoding(b"a b", Protocol::Meta).unwrap(), Encoding::Base64);
        assert_eq!(encoding(b"a b", Protocol::Binary).unwrap(), Encoding::Plain);
        assert!(encoding(&spaced, Protocol::Meta).is_err());
        assert!(encoding(&spaced[1..], Protocol::Meta).is_ok());
        for byte in [b'\0', b'\t', b'\r', b'\n', 0x7f] {
            assert!(!is_plain(&[byte]), "{byte:#x}");
        }
        assert!(is_plain("schlüssel".as_bytes()));
    }
}
