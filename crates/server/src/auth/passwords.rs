//! The two kinds of password files, and the comparison with the password that a client sends.
//!
//! Both have a line `user:password` for each user. The time of a comparison tells nothing about a password: lengths are
//! hidden by padding, and an unknown user costs as much as a known one.

use subtle::{Choice, ConstantTimeEq};

/// A line has fewer bytes than this.
const LINE_BYTES_MAX: usize = 256;
/// Lines of an auth file that count, as in memcached.
const AUTH_FILE_USERS_MAX: usize = 8;

/// Users and their passwords.
#[derive(Default)]
pub(super) struct Users {
    entries: Vec<Entry>,
    warnings: Vec<String>,
}

struct Entry {
    user: Vec<u8>,
    password: Padded,
}

/// A password whose comparison always takes the same time.
struct Padded {
    bytes: [u8; LINE_BYTES_MAX],
    len: u64,
}

impl Padded {
    fn new(password: &[u8]) -> Padded {
        let mut bytes = [0; LINE_BYTES_MAX];
        let kept = password.len().min(LINE_BYTES_MAX);
        bytes[..kept].copy_from_slice(&password[..kept]);
        Padded {
            bytes,
            len: password.len() as u64,
        }
    }

    fn equals(&self, other: &Padded) -> Choice {
        self.bytes.ct_eq(&other.bytes) & self.len.ct_eq(&other.len)
    }
}

impl Users {
    /// Reads the file of `-Y`. memcached reads no further than its eighth line; if the file has more, a warning says
    /// so.
    pub(super) fn of_auth_file(text: &[u8]) -> Result<Users, String> {
        let mut users = Users::default();
        for (number, line) in lines(text)? {
            if users.entries.len() == AUTH_FILE_USERS_MAX {
                users.warnings.push(format!(
                    "only the first {AUTH_FILE_USERS_MAX} users count; line {number} and those after it do not"
                ));
                break;
            }
            let (user, password) = split(line).ok_or_else(|| no_colon(number))?;
            users.add(user, password);
        }
        users.warn_if_empty();
        Ok(users)
    }

    /// Reads the file of `MEMCACHED_SASL_PWDB`. In a line `user:password:more`, the password is either `password` or
    /// everything behind the user.
    pub(super) fn of_pwdb(text: &[u8]) -> Result<Users, String> {
        let mut users = Users::default();
        for (number, line) in lines(text)?
            .into_iter()
            .filter(|(_, line)| !line.is_empty())
        {
            let (user, rest) = split(line).ok_or_else(|| no_colon(number))?;
            if users.entries.iter().any(|entry| entry.user == user) {
                continue;
            }
            let colons = rest.iter().enumerate().filter(|&(_, &byte)| byte == b':');
            for (colon, _) in colons {
                users.add(user, &rest[..colon]);
            }
            users.add(user, rest);
        }
        users.warn_if_empty();
        Ok(users)
    }

    fn add(&mut self, user: &[u8], password: &[u8]) {
        self.entries.push(Entry {
            user: user.to_vec(),
            password: Padded::new(password),
        });
    }

    fn warn_if_empty(&mut self) {
        if self.entries.is_empty() {
            self.warnings
                .push("no user in it: nobody can authenticate".into());
        }
    }

    /// Warnings about the file, for the operator.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether there is a user of this name with this password.
    pub(super) fn admit(&self, user: &[u8], password: &[u8]) -> bool {
        let sent = Padded::new(password);
        let mut admitted = Choice::from(0);
        let mut known = false;
        for entry in self.entries.iter().filter(|entry| entry.user == user) {
            known = true;
            admitted |= entry.password.equals(&sent);
        }
        if !known {
            // This takes as long as for a known user: the comparison with padding always takes the same time.
            let _ = std::hint::black_box(Padded::new(b"").equals(&sent));
        }
        admitted.into()
    }
}

impl std::fmt::Debug for Users {
    /// Writes the users without their passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Users({})", self.entries.len())
    }
}

/// The lines with their numbers, without their ends (`\n` or `\r\n`).
fn lines(text: &[u8]) -> Result<Vec<(usize, &[u8])>, String> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    lines
        .map(|(index, line)| {
            let number = index + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() >= LINE_BYTES_MAX {
                return Err(format!(
                    "line {number} is longer than {} bytes",
                    LINE_BYTES_MAX - 1
                ));
            }
            if line.contains(&0) {
                return Err(format!("line {number} has a NUL byte"));
            }
            Ok((number, line))
        })
        .collect()
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], &line[colon + 1..]))
}

fn no_colon(number: usize) -> String {
    format!("line {number} is not user:password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_file_admits_its_users() {
        let users = Users::of_auth_file(b"a:one\r\nb:two:three\nc:\na:other").unwrap();
        assert!(users.warnings().is_empty());
        for (user, password, admitted) in [
            ("a", "one", true),
            ("a", "other", true),
            ("a", "on", false),
            ("a", "one\0", false),
            ("b", "two:three", true),
            ("b", "two", false),
            ("c", "", true),
            ("d", "", false),
            ("", "", false),
        ] {
            let got = users.admit(user.as_bytes(), password.as_bytes());
            assert_eq!(got, admitted, "{user} {password:?}");
        }
    }

    #[test]
    fn malformed_files_are_refused() {
        for text in [
            &b"no colon\n"[..],
            b"a:b\n\nc:d\n",
            b"\n\n",
            b"a:\0",
            &[b"a:".as_slice(), &[b'x'; 254]].concat(),
        ] {
            assert!(Users::of_auth_file(text).is_err(), "{text:?}");
        }
        assert!(Users::of_auth_file(&[b"a:".as_slice(), &[b'x'; 253]].concat()).is_ok());
        assert!(Users::of_pwdb(b"no colon").is_err());
    }

    #[test]
    fn what_does_not_count_is_told() {
        let text: String = (0..9).map(|n| format!("u{n}:p{n}\n")).collect();
        let users = Users::of_auth_file(text.as_bytes()).unwrap();
        assert_eq!(users.warnings().len(), 1);
        assert!(users.admit(b"u7", b"p7"));
        assert!(!users.admit(b"u8", b"p8"));
        assert_eq!(Users::of_auth_file(b"").unwrap().warnings().len(), 1);
    }

    #[test]
    fn a_pwdb_may_say_more_after_a_password() {
        let users = Users::of_pwdb(b"a:one:more:most\n\na:two\nb:two\n").unwrap();
        for (user, password, admitted) in [
            ("a", "one", true),
            ("a", "one:more", true),
            ("a", "one:more:most", true),
            ("a", "one:", false),
            ("a", "two", false),
            ("b", "two", true),
        ] {
            let got = users.admit(user.as_bytes(), password.as_bytes());
            assert_eq!(got, admitted, "{user} {password:?}");
        }
    }

    #[test]
    fn a_password_longer_than_any_line_is_wrong() {
        let longest = [b'x'; 253];
        let users = Users::of_auth_file(&[b"a:".as_slice(), &longest].concat()).unwrap();
        assert!(users.admit(b"a", &longest));
        assert!(!users.admit(b"a", &[b'x'; 254]));
        assert!(!users.admit(b"a", &[b'x'; 70_000]));
    }
}
