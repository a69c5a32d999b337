//! Packets of the binary protocol, written as words.
//!
//! ```text
//! b> set k=key flags=5 exptime=0 v=value op=7 cas=c     a request; words for extras stand in their order
//! b< set op=7 cas=c                                     a reply; without cas= it must be 0, cas=any may be anything
//! b< get status=1                                       an error brings its text by itself
//! b> 0x1b k=a bodylen=9                                 opcodes by number, lengths that lie
//! ```

use corecached_client::wire::binary::{
    HEADER_BYTES, Head, Header, Opcode, REPLY_MAGIC, REQUEST_MAGIC,
};

use super::text::{self, Piece, Text};

/// Bytes of the cas unique, which a header ends with.
const CAS_BYTES: usize = 8;

/// What the words have said so far.
struct Words {
    opcode: u8,
    status: u16,
    opaque: u32,
    cas: Piece,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Option<Text>,
    key_bytes: Option<u16>,
    extras_bytes: Option<u8>,
    body_bytes: Option<u32>,
}

/// Parses a request.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn request(source: &str) -> Result<Text, String> {
    Ok(parse(source)?.packet(REQUEST_MAGIC))
}

/// Parses a reply.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn reply(source: &str) -> Result<Text, String> {
    Ok(parse(source)?.packet(REPLY_MAGIC))
}

fn parse(source: &str) -> Result<Words, String> {
    let mut words = source.split(' ').filter(|word| !word.is_empty());
    let mut packet = Words {
        opcode: opcode(words.next().ok_or("no opcode")?)?,
        status: 0,
        opaque: 0,
        cas: Piece::Literal(vec![0; CAS_BYTES]),
        extras: Vec::new(),
        key: Vec::new(),
        value: None,
        key_bytes: None,
        extras_bytes: None,
        body_bytes: None,
    };
    for word in words {
        let (name, value) = word.split_once('=').ok_or(format!("no = in {word}"))?;
        packet
            .word(name, value)
            .map_err(|error| format!("{word}: {error}"))?;
    }
    Ok(packet)
}

fn opcode(word: &str) -> Result<u8, String> {
    if let Some(hex) = word.strip_prefix("0x") {
        return u8::from_str_radix(hex, 16).map_err(|error| error.to_string());
    }
    let known = Opcode::ALL
        .iter()
        .find(|opcode| format!("{opcode:?}").eq_ignore_ascii_case(word));
    known
        .map(|&opcode| opcode as u8)
        .ok_or(format!("no opcode {word}"))
}

impl Words {
    fn word(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "k" => self.key = literal(value)?,
            "v" => self.value = Some(text::parse(value)?),
            "op" => self.opaque = number(value)?,
            "status" => self.status = number(value)?,
            "keylen" => self.key_bytes = Some(number(value)?),
            "extlen" => self.extras_bytes = Some(number(value)?),
            "bodylen" => self.body_bytes = Some(number(value)?),
            "cas" => self.cas = cas(value)?,
            "flags" | "exptime" | "delay" => {
                let number: u32 = number(value)?;
                self.extras.extend_from_slice(&number.to_be_bytes());
            }
            "delta" | "initial" => {
                let number: u64 = number(value)?;
                self.extras.extend_from_slice(&number.to_be_bytes());
            }
            "number" => {
                let number: u64 = number(value)?;
                self.value = Some(vec![Piece::Literal(number.to_be_bytes().to_vec())]);
            }
            _ => return Err("unknown word".to_owned()),
        }
        Ok(())
    }

    fn packet(self, magic: u8) -> Text {
        let value = self.value.unwrap_or_else(|| {
            let text = if self.key.is_empty() {
                status_text(self.status)
            } else {
                ""
            };
            vec![Piece::Literal(text.as_bytes().to_vec())]
        });
        let value_bytes: usize = value.iter().map(piece_bytes).sum();
        let body_bytes = self.extras.len() + self.key.len() + value_bytes;
        let header = Header {
            magic,
            head: Head {
                opcode: self.opcode,
                opaque: self.opaque,
            },
            status: self.status,
            extras_bytes: self.extras_bytes.unwrap_or(self.extras.len() as u8),
            key_bytes: self.key_bytes.unwrap_or(self.key.len() as u16),
            body_bytes: self.body_bytes.unwrap_or(body_bytes as u32),
            cas: 0,
        };
        // The cas unique may be any, or a captured one.
        let before_cas = &header.bytes()[..HEADER_BYTES - CAS_BYTES];
        let mut packet = vec![Piece::Literal(before_cas.to_vec())];
        let body = [Piece::Literal([self.extras, self.key].concat())];
        for piece in [self.cas].into_iter().chain(body).chain(value) {
            match piece {
                Piece::Literal(bytes) => text::push(&mut packet, &bytes),
                other => packet.push(other),
            }
        }
        packet
    }
}

fn piece_bytes(piece: &Piece) -> usize {
    match piece {
        Piece::Literal(bytes) => bytes.len(),
        Piece::Bytes(_, length) => *length,
        _ => panic!("only bytes of a known number have a place in a packet"),
    }
}

fn cas(value: &str) -> Result<Piece, String> {
    if value.starts_with(|first: char| first.is_ascii_digit()) {
        let number: u64 = number(value)?;
        return Ok(Piece::Literal(number.to_be_bytes().to_vec()));
    }
    Ok(Piece::Bytes(
        (value != "any").then(|| value.to_owned()),
        CAS_BYTES,
    ))
}

fn literal(source: &str) -> Result<Vec<u8>, String> {
    match &text::parse(source)?[..] {
        [] => Ok(Vec::new()),
        [Piece::Literal(bytes)] => Ok(bytes.clone()),
        _ => Err("only plain text".to_owned()),
    }
}

fn number<T: TryFrom<u64>>(source: &str) -> Result<T, String> {
    let number = match source.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => source.parse(),
    };
    let number = number.map_err(|error| error.to_string())?;
    T::try_from(number).map_err(|_| "too large".to_owned())
}

/// The texts of errors as memcached has them: those of the server are what is tested.
fn status_text(status: u16) -> &'static str {
    match status {
        0x01 => "Not found",
        0x02 => "Data exists for key.",
        0x03 => "Too large.",
        0x04 => "Invalid arguments",
        0x05 => "Not stored.",
        0x06 => "Non-numeric server-side value for incr or decr",
        0x20 => "Auth failure.",
        0x81 => "Unknown command",
        0x82 => "Out of memory",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_parsed() {
        let set = request("set k=ab flags=1 exptime=2 v=xyz op=0x04030201 cas=c").unwrap();
        let head = b"\x80\x01\0\x02\x08\0\0\0\0\0\0\x0d\x04\x03\x02\x01";
        let body = b"\0\0\0\x01\0\0\0\x02abxyz";
        let expected = vec![
            Piece::Literal(head.to_vec()),
            Piece::Bytes(Some("c".to_owned()), 8),
            Piece::Literal(body.to_vec()),
        ];
        assert_eq!(set, expected);
        let miss = reply("0x00 status=1").unwrap();
        let bytes = b"\x81\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0Not found";
        assert_eq!(miss, vec![Piece::Literal(bytes.to_vec())]);
        assert!(request("sett").is_err());
        assert!(request("set q=1").is_err());
        assert!(request("set keylen=65536").is_err());
    }
}
