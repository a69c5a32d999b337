//! A request line as the rules look at it. Numbers are read here once more, in the simplest way there is: what is
//! checked must not be checked by itself.

use corecached_fuzz::streams::CAS_OF;

/// The kinds of commands that the rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Gat,
    Store,
    Cas,
    Arith,
    Touch,
    Delete,
    Verbosity,
    Memlimit,
    /// Other commands that both servers know.
    Other,
    Unknown,
}

impl Verb {
    fn of(word: &[u8]) -> Verb {
        match word {
            b"get" | b"gets" => Verb::Get,
            b"gat" | b"gats" => Verb::Gat,
            b"set" | b"add" | b"replace" | b"append" | b"prepend" => Verb::Store,
            b"cas" => Verb::Cas,
            b"incr" | b"decr" => Verb::Arith,
            b"touch" => Verb::Touch,
            b"delete" => Verb::Delete,
            b"verbosity" => Verb::Verbosity,
            b"cache_memlimit" => Verb::Memlimit,
            b"flush_all" | b"stats" | b"shutdown" | b"mn" | b"version" | b"bget" => Verb::Other,
            _ => Verb::Unknown,
        }
    }

    /// Whether data follows.
    pub(super) fn stores(self) -> bool {
        matches!(self, Verb::Store | Verb::Cas)
    }

    /// With fewer words a line is not understood at all.
    pub(super) fn words_min(self) -> usize {
        match self {
            Verb::Get | Verb::Delete | Verb::Verbosity => 2,
            Verb::Gat | Verb::Arith | Verb::Touch => 3,
            Verb::Store | Verb::Cas => 5,
            Verb::Memlimit | Verb::Other | Verb::Unknown => 0,
        }
    }

    /// With more words 1.6.18 does not understand a line.
    pub(super) fn words_max(self) -> usize {
        match self {
            Verb::Verbosity | Verb::Memlimit => 3,
            Verb::Arith | Verb::Touch | Verb::Delete => 4,
            Verb::Store => 6,
            Verb::Cas => 7,
            Verb::Get | Verb::Gat | Verb::Other | Verb::Unknown => usize::MAX,
        }
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) verb: Verb,
    /// At least one, which may be empty.
    pub(super) words: Vec<&'a [u8]>,
    pub(super) leading_space: bool,
    /// Length with its end.
    pub(super) bytes: usize,
    /// What follows the line.
    pub(super) data: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line that `request` begins with.
    pub(super) fn of(request: &'a [u8]) -> Line<'a> {
        let newline = request
            .iter()
            .position(|&byte| byte == b'\n')
            .expect("a line");
        let line = request[..newline]
            .strip_suffix(b"\r")
            .unwrap_or(&request[..newline]);
        let words = line
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty());
        let mut words: Vec<&[u8]> = words.collect();
        if words.is_empty() {
            words.push(b"");
        }
        Line {
            verb: Verb::of(words[0]),
            words,
            leading_space: line.starts_with(b" "),
            bytes: newline + 1,
            data: &request[newline + 1..],
        }
    }

    pub(super) fn wants_no_reply(&self) -> bool {
        let is_a_key = matches!(self.verb, Verb::Get | Verb::Gat) && !self.leading_space;
        !is_a_key && self.words.len() > 1 && self.words.last() == Some(&&b"noreply"[..])
    }

    /// The announced length, as 1.6.45 reads it.
    pub(super) fn length(&self) -> Option<usize> {
        let length = c_i64(self.words.get(4)?)?;
        (0..=i64::from(i32::MAX) - 2)
            .contains(&length)
            .then_some(length as usize)
    }

    /// The announced length, as 1.6.18 reads it: any number, cut to 32 bits.
    pub(super) fn old_length(&self) -> Option<usize> {
        let length = c_i64(self.words.get(4)?)? as i32;
        (0..=i32::MAX - 2)
            .contains(&length)
            .then_some(length as usize)
    }

    /// Whether key, flags, exptime and cas unique are.
    pub(super) fn fields_are_good(&self) -> bool {
        let number =
            |at: usize, read: fn(&[u8]) -> bool| self.words.get(at).is_some_and(|word| read(word));
        self.words[1].len() <= 250
            && number(2, |word| c_u64(word).is_some())
            && number(3, |word| c_i64(word).is_some())
            && (self.verb != Verb::Cas || number(5, |word| c_u64(word).is_some()))
    }

    /// A delta, or the cas unique of `cas`, that 1.6.18 takes and 1.6.45 does not.
    pub(super) fn loose_u64(&self) -> bool {
        let at = match self.verb {
            Verb::Arith => 2,
            Verb::Cas => 5,
            _ => return false,
        };
        let word = self.words.get(at).copied().unwrap_or_default();
        let is_strict = word.len() <= 22 && !word.starts_with(b"+");
        self.words[1].len() <= 250 && c_u64(word).is_some() && !is_strict
    }

    /// The exptime of the commands that read it strictly.
    pub(super) fn strict_exptime_word(&self) -> Option<&'a [u8]> {
        match self.verb {
            Verb::Touch if self.words.len() > 2 && self.words[1].len() <= 250 => {
                Some(self.words[2])
            }
            Verb::Gat if self.words.len() > 2 => Some(self.words[1]),
            _ => None,
        }
    }

    /// Whether an item would expire while the test runs.
    pub(super) fn expires_soon(&self) -> bool {
        let at = match self.verb {
            Verb::Store | Verb::Cas => 3,
            Verb::Touch => 2,
            Verb::Gat => 1,
            _ => return false,
        };
        let exptime = self.words.get(at).and_then(|word| c_i64(word));
        exptime.is_some_and(|exptime| (1..1000).contains(&(exptime as i32)))
    }

    /// A number of an administrative command that 1.6.18 takes and 1.6.45 does not.
    pub(super) fn loose_setting(&self) -> bool {
        let is_setting = matches!(self.verb, Verb::Memlimit | Verb::Verbosity);
        let Some(word) = self.words.get(1).filter(|_| is_setting) else {
            return false;
        };
        let strict = word.len() <= 11 && word.iter().all(u8::is_ascii_digit);
        c_u64(word).is_some_and(|number| !strict || u32::try_from(number).is_err())
    }

    /// That many errors, and one for each line of the data, which is read as commands.
    pub(super) fn errors_for(&self, more: usize) -> String {
        let lines = self.data.iter().filter(|&&byte| byte == b'\n').count();
        "ERROR\r\n".repeat(lines + more)
    }

    /// Place of the key among the words.
    pub(super) fn key_at(&self) -> usize {
        if self.verb == Verb::Gat { 2 } else { 1 }
    }
}

/// As C's strtoll, but for white space.
pub(super) fn c_i64(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// As C's strtoull, but for white space and negative numbers. What will be a cas unique is a number.
fn c_u64(word: &[u8]) -> Option<u64> {
    if word.starts_with(CAS_OF) {
        return Some(1);
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}
