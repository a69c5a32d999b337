//! Keys, and values that say what they are: the key, the write that has made them, and bytes that follow from both.

/// Bytes of the number of the key and of the write.
pub(crate) const HEAD_BYTES: usize = 16;

/// The first keys are those of numbers.
pub(crate) const NUMBERS: usize = 4;

pub(crate) fn is_number(key: usize) -> bool {
    key < NUMBERS
}

pub(crate) fn key_bytes(key: usize) -> Vec<u8> {
    let letters = 3 + key % 40;
    format!("{key:0letters$}").into_bytes()
}

/// Bytes `from..to` of the value of a write.
pub(crate) fn bytes(key: usize, write: u64, from: usize, to: usize) -> Vec<u8> {
    let head = [(key as u64).to_le_bytes(), write.to_le_bytes()].concat();
    let byte = |at: usize| match head.get(at) {
        Some(&byte) => byte,
        None => (key as u64 ^ write.wrapping_mul(0x9e37_79b9) ^ (at as u64).wrapping_mul(31)) as u8,
    };
    (from..to).map(byte).collect()
}

/// The write that has made this value of this key.
pub(crate) fn write_of(key: usize, value: &[u8]) -> Result<u64, String> {
    if is_number(key) {
        let text = String::from_utf8_lossy(value);
        return text
            .trim_end()
            .parse()
            .map_err(|_| format!("no number: {text:?}"));
    }
    if value.len() < HEAD_BYTES {
        return Err(format!("{} bytes are no value", value.len()));
    }
    let word = |at: usize| u64::from_le_bytes(value[at..at + 8].try_into().expect("8 bytes"));
    let (of, write) = (word(0), word(8));
    if of != key as u64 {
        return Err(format!("a value of key {of}"));
    }
    let right = bytes(key, write, 0, value.len());
    match value
        .iter()
        .zip(&right)
        .position(|(byte, right)| byte != right)
    {
        None => Ok(write),
        Some(at) => Err(format!(
            "byte {at} of {} is not of write {write}",
            value.len()
        )),
    }
}
