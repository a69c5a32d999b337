//! Flags of a meta command: checked once, kept as sent, and read again where a flag is there.
//!
//! ```text
//!   words    T 3 0   v   O a b c
//!   letters  ...O....T..v...          one bit each, A is bit 0
//! ```

use super::error::LineError;
use crate::number::{strict_i32, strict_u32, strict_u64};
use crate::words::Words;

/// Most words of a meta command, its own and the key among them.
pub const WORDS_MAX: usize = 20;

/// Longest opaque, without its letter.
pub const OPAQUE_BYTES_MAX: usize = 31;

/// Letters that mean something to one of the commands.
const KNOWN: Letters = Letters::of(b"CDEFIJLMNOPRTbcfhklqstuvx");

/// Letters whose argument must be a number.
const NUMBERS: Letters = Letters::of(b"CDEFJNRT");

/// Letters that come back with a reply.
const COMING_BACK: Letters = Letters::of(b"Ocfhklst");

/// Letters that make `mg` do more than look up.
const ACTING: Letters = Letters::of(b"NRTu");

/// One flag: a letter and its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag<'a> {
    /// The letter.
    pub letter: u8,
    /// The bytes attached to the letter; empty for most letters.
    pub argument: &'a [u8],
}

impl<'a> Flag<'a> {
    /// The flags in the words of a command or a reply.
    #[inline]
    pub fn in_words(words: &'a [u8]) -> impl Iterator<Item = Self> + Clone + use<'a> {
        Words::new(words).map(|word| Flag {
            letter: word[0],
            argument: &word[1..],
        })
    }
}

/// The flags of one command. No letter occurs twice, and every argument that must be a number is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags<'a> {
    /// The flags as sent.
    words: &'a [u8],
    letters: Letters,
}

impl<'a> Flags<'a> {
    /// No flag at all.
    pub const NONE: Self = Flags {
        words: &[],
        letters: Letters(0),
    };

    /// Checks the flags in `words`, which `words_before` words of the command stand before.
    ///
    /// An unknown or a repeated letter is reported before a bad argument to its left, and of several bad arguments the
    /// last one counts: clients see the same text as from memcached.
    #[inline]
    pub(super) fn parse(words: &'a [u8], words_before: usize) -> Result<Self, LineError> {
        let mut letters = Letters(0);
        let mut bad_argument = None;
        let mut count = words_before;
        for word in Words::new(words) {
            count += 1;
            let letter = word[0];
            if letters.has(letter) || !KNOWN.has(letter) || count > WORDS_MAX {
                return Err(first_error(words, words_before, letters.has(letter)));
            }
            letters.add(letter);
            if NUMBERS.has(letter) {
                bad_argument = argument_error(letter, &word[1..], bad_argument);
            }
        }
        match bad_argument {
            None => Ok(Flags { words, letters }),
            Some(error) => Err(error),
        }
    }

    /// Checks the length of the opaque, if there is one; of all errors this is found last.
    #[inline]
    pub(super) fn check_opaque(&self) -> Result<(), LineError> {
        match self.opaque() {
            Some(opaque) if opaque.len() > OPAQUE_BYTES_MAX => Err(LineError::OpaqueTooLong),
            _ => Ok(()),
        }
    }

    /// First byte of the argument of `M`, if there is such a flag; a space if it has none.
    pub(super) fn mode(&self) -> Option<u8> {
        self.argument(b'M')
            .map(|argument| argument.first().copied().unwrap_or(b' '))
    }

    /// The argument of a flag; `None` if the command does not have the flag.
    #[inline]
    fn argument(&self, letter: u8) -> Option<&'a [u8]> {
        if !self.has(letter) {
            return None;
        }
        self.in_order()
            .find(|flag| flag.letter == letter)
            .map(|flag| flag.argument)
    }

    /// The argument of a flag as a number, which [`Flags::parse`] has checked; `None` if the command does not have the
    /// flag.
    #[inline]
    fn number(&self, letter: u8) -> Option<u64> {
        self.argument(letter).and_then(strict_u64)
    }

    /// The flags in the order they were sent.
    #[inline]
    pub fn in_order(&self) -> impl Iterator<Item = Flag<'a>> + Clone + use<'a> {
        Flag::in_words(self.words)
    }

    /// Whether the command has the flag.
    #[inline]
    #[must_use]
    pub const fn has(&self, letter: u8) -> bool {
        self.letters.has(letter)
    }

    /// Whether a reply needs more than its status, because a flag asks for something back.
    #[inline]
    #[must_use]
    pub const fn wants_flags_back(&self) -> bool {
        self.letters.0 & COMING_BACK.0 != 0
    }

    /// Whether `mg` does anything but look the item up and mark it as used.
    #[inline]
    #[must_use]
    pub const fn does_more_than_fetch(&self) -> bool {
        self.letters.0 & ACTING.0 != 0
    }

    /// The flags as sent, for [`Flags::with_words`].
    #[inline]
    #[must_use]
    pub const fn words(&self) -> &'a [u8] {
        self.words
    }

    /// These flags with their words kept elsewhere: in a copy of the words that [`Flags::words`] gave, or nowhere in
    /// the meantime.
    #[inline]
    #[must_use]
    pub const fn with_words<'b>(&self, words: &'b [u8]) -> Flags<'b> {
        Flags {
            words,
            letters: self.letters,
        }
    }

    /// `T`: new exptime.
    #[inline]
    #[must_use]
    pub fn exptime(&self) -> Option<i32> {
        self.argument(b'T').and_then(strict_i32)
    }

    /// `N`: exptime of an item that is created on a miss.
    #[inline]
    #[must_use]
    pub fn vivify(&self) -> Option<i32> {
        self.argument(b'N').and_then(strict_i32)
    }

    /// `R`: an item with less time left than this is to be fetched anew.
    #[inline]
    #[must_use]
    pub fn recache(&self) -> Option<i32> {
        self.argument(b'R').and_then(strict_i32)
    }

    /// `F`: client flags of the new item; 0 without the flag.
    #[inline]
    #[must_use]
    pub fn client_flags(&self) -> u32 {
        self.argument(b'F').and_then(strict_u32).unwrap_or(0)
    }

    /// `C`: cas unique to compare with.
    #[inline]
    #[must_use]
    pub fn compare_cas(&self) -> Option<u64> {
        self.number(b'C')
    }

    /// `E`: cas unique of the new item.
    #[inline]
    #[must_use]
    pub fn new_cas(&self) -> Option<u64> {
        self.number(b'E')
    }

    /// `J`: number that `ma` creates on a miss; 0 without the flag.
    #[inline]
    #[must_use]
    pub fn initial(&self) -> u64 {
        self.number(b'J').unwrap_or(0)
    }

    /// `D`: by how much `ma` changes the number; 1 without the flag.
    #[inline]
    #[must_use]
    pub fn delta(&self) -> u64 {
        self.number(b'D').unwrap_or(1)
    }

    /// `O`: bytes that come back with the reply, without the letter.
    #[inline]
    #[must_use]
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.argument(b'O')
    }

    /// `q`: the ordinary reply is not sent.
    #[inline]
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.has(b'q')
    }
}

/// The error of a flag whose argument is not the number it must be, else the `earlier` one.
fn argument_error(letter: u8, argument: &[u8], earlier: Option<LineError>) -> Option<LineError> {
    let (valid, error) = match letter {
        b'T' | b'N' | b'R' => (strict_i32(argument).is_some(), LineError::BadNumber),
        b'J' => (strict_u64(argument).is_some(), LineError::BadInitial),
        b'D' => (strict_u64(argument).is_some(), LineError::BadDelta),
        // `F` has no text of its own: its error does not replace an earlier one.
        b'F' => (
            strict_u32(argument).is_some(),
            earlier.unwrap_or(LineError::BadClientFlags),
        ),
        _ => (strict_u64(argument).is_some(), LineError::BadNumber),
    };
    if valid { earlier } else { Some(error) }
}

/// Decides which of several errors is reported.
#[cold]
fn first_error(words: &[u8], words_before: usize, duplicate: bool) -> LineError {
    let is_flag = |word: &[u8]| matches!(word[0], b'A'..=b'z' | b'0'..=b'9');
    if !Words::new(words).all(is_flag) {
        LineError::NotAFlag
    } else if words_before + Words::new(words).count() > WORDS_MAX {
        LineError::TooMany
    } else if duplicate {
        LineError::Duplicate
    } else {
        LineError::Unknown
    }
}

/// A set of the bytes `A` to `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Letters(u64);

impl Letters {
    const fn of(letters: &[u8]) -> Self {
        let mut set = Letters(0);
        let mut at = 0;
        while at < letters.len() {
            set.add(letters[at]);
            at += 1;
        }
        set
    }

    const fn add(&mut self, letter: u8) {
        self.0 |= Letters::bit(letter);
    }

    #[inline]
    const fn has(self, letter: u8) -> bool {
        self.0 & Letters::bit(letter) != 0
    }

    /// 0 for a byte that is not from `A` to `z`.
    #[inline]
    const fn bit(letter: u8) -> u64 {
        let index = letter.wrapping_sub(b'A');
        if index <= b'z' - b'A' { 1 << index } else { 0 }
    }
}
