//! Lines of the commands that show what is in the cache: `lru_crawler metadump` and `mgdump`, `stats cachedump`, `stats
//! detail dump`.

use crate::item_fields::ItemFields;
use crate::reply::{CRLF, number};
use crate::{meta, uri};

/// The properties of an item that `lru_crawler metadump` shows.
#[derive(Clone, Copy, Debug)]
pub struct MetadumpItem<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Unix time at which the item expires; `None` = never.
    pub exptime: Option<i64>,
    /// Unix time of the last access.
    pub last_access: i64,
    /// The cas unique.
    pub cas: u64,
    /// Whether the item was fetched since it was stored.
    pub fetched: bool,
    /// The slab class.
    pub class_id: u8,
    /// Bytes of the item.
    pub item_bytes: usize,
    /// The client flags.
    pub client_flags: u32,
}

/// Appends a line of `lru_crawler metadump`, which ends in a space and a lone line feed.
pub fn metadump_line(out: &mut Vec<u8>, item: &MetadumpItem<'_>) {
    out.extend_from_slice(b"key=");
    uri::encode(out, item.key);
    out.extend_from_slice(b" exp=");
    number(out, item.exptime.unwrap_or(-1));
    let fields = ItemFields {
        last_access: item.last_access,
        cas: item.cas,
        fetched: item.fetched,
        class: u32::from(item.class_id),
        item_bytes: item.item_bytes,
    };
    fields.append(out);
    out.extend_from_slice(b" flags=");
    number(out, item.client_flags);
    out.extend_from_slice(b" \n");
}

/// Appends a line of `lru_crawler mgdump`: a command that fetches the item.
pub fn mgdump_line(out: &mut Vec<u8>, key: &[u8], is_binary: bool) {
    out.extend_from_slice(b"mg ");
    if is_binary {
        meta::encode_base64(out, key);
        out.extend_from_slice(b" b");
    } else {
        out.extend_from_slice(key);
    }
    out.extend_from_slice(CRLF);
}

/// Appends a line of `stats cachedump`; `exptime` is a Unix time, 0 = never.
pub fn cachedump_line(out: &mut Vec<u8>, key: &[u8], value_bytes: usize, exptime: i64) {
    out.extend_from_slice(b"ITEM ");
    out.extend_from_slice(key);
    out.extend_from_slice(b" [");
    number(out, value_bytes);
    out.extend_from_slice(b" b; ");
    number(out, exptime);
    out.extend_from_slice(b" s]\r\n");
}

/// Appends a line of `stats detail dump`; `counts` are those of get, hit, set and del.
pub fn prefix_line(out: &mut Vec<u8>, prefix: &[u8], counts: [u64; 4]) {
    out.extend_from_slice(b"PREFIX ");
    out.extend_from_slice(prefix);
    for (name, count) in [" get ", " hit ", " set ", " del "].into_iter().zip(counts) {
        out.extend_from_slice(name.as_bytes());
        number(out, count);
    }
    out.extend_from_slice(CRLF);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut out = Vec::new();
        let item = MetadumpItem {
            key: b"a b",
            exptime: None,
            last_access: 1_700_000_000,
            cas: 7,
            fetched: true,
            class_id: 3,
            item_bytes: 90,
            client_flags: 5,
        };
        metadump_line(&mut out, &item);
        let mortal = MetadumpItem {
            exptime: Some(1_700_000_100),
            fetched: false,
            ..item
        };
        metadump_line(&mut out, &mortal);
        mgdump_line(&mut out, b"key", false);
        mgdump_line(&mut out, b"\0\x01 ", true);
        cachedump_line(&mut out, b"key", 12, 0);
        prefix_line(&mut out, b"user", [4, 3, 2, 1]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "key=a%20b exp=-1 la=1700000000 cas=7 fetch=yes cls=3 size=90 flags=5 \n\
             key=a%20b exp=1700000100 la=1700000000 cas=7 fetch=no cls=3 size=90 flags=5 \n\
             mg key\r\n\
             mg AAEg b\r\n\
             ITEM key [12 b; 0 s]\r\n\
             PREFIX user get 4 hit 3 set 2 del 1\r\n"
        );
    }
}
