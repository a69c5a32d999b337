//! From the lines of a file to what is to be done.

use std::time::Duration;

use super::packet;
use super::play::Way;
use super::text::{self, Text};

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) name: &'static str,
    pub(crate) server_options: Vec<String>,
    /// Lines of the password file.
    pub(crate) passwords: Vec<String>,
    pub(crate) ways: Vec<Way>,
    /// Ways that memcached before 1.6.41 does not stand.
    pub(crate) ways_not_old: Vec<Way>,
    pub(crate) steps: Vec<Step>,
}

/// One thing to do, with the line of the file that asks for it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    Send(Text),
    Expect { reply: Text, from: From },
    Sleep(Duration),
    Connect(String),
    Closed,
    Exit(i32),
    Differ(String, String),
}

/// The servers that send a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    All,
    /// All but memcached before 1.6.41.
    Current,
    /// Memcached before 1.6.41.
    Old,
}

impl From {
    /// Whether a server that is, or is not, an old memcached sends it.
    pub(crate) fn includes(self, is_old_memcached: bool) -> bool {
        match self {
            Self::All => true,
            Self::Current => !is_old_memcached,
            Self::Old => is_old_memcached,
        }
    }
}

impl Transcript {
    /// Parses the text of a file.
    pub(crate) fn parse(name: &'static str, source: &str) -> Self {
        let mut transcript = Self {
            name,
            server_options: Vec::new(),
            passwords: Vec::new(),
            ways: vec![Way::Whole, Way::Bytes, Way::Pipelined],
            ways_not_old: Vec::new(),
            steps: Vec::new(),
        };
        for (index, line) in source.lines().enumerate() {
            if let Err(error) = transcript.line(index + 1, line) {
                panic!("{name}.txt:{}: {error}", index + 1);
            }
        }
        transcript
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let action = match kind {
            ">" => Action::Send(with_line_end(rest)?),
            ">-" => Action::Send(text::parse(rest)?),
            "b>" => Action::Send(packet::request(rest)?),
            "b<" => Action::Expect {
                reply: packet::reply(rest)?,
                from: From::All,
            },
            "b<old" => {
                self.mark_replies_above_as_current();
                Action::Expect {
                    reply: packet::reply(rest)?,
                    from: From::Old,
                }
            }
            "<" => Action::Expect {
                reply: with_line_end(rest)?,
                from: From::All,
            },
            "<-" => Action::Expect {
                reply: text::parse(rest)?,
                from: From::All,
            },
            "<old" => {
                self.mark_replies_above_as_current();
                Action::Expect {
                    reply: with_line_end(rest)?,
                    from: From::Old,
                }
            }
            "!" => match self.directive(rest)? {
                Some(action) => action,
                None => return Ok(()),
            },
            _ => return Err(format!("unknown line {line:?}")),
        };
        self.steps.push(Step {
            line: number,
            action,
        });
        Ok(())
    }

    /// `<old` lines stand for the `<` lines just above them.
    fn mark_replies_above_as_current(&mut self) {
        for step in self.steps.iter_mut().rev() {
            let Action::Expect { from, .. } = &mut step.action else {
                break;
            };
            if *from == From::All {
                *from = From::Current;
            }
        }
    }

    fn directive(&mut self, rest: &str) -> Result<Option<Action>, String> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let action = match words[..] {
            ["server", ref options @ ..] => {
                self.server_options = options.iter().map(ToString::to_string).collect();
                return Ok(None);
            }
            ["passwords", ref lines @ ..] => {
                self.passwords = lines.iter().map(ToString::to_string).collect();
                return Ok(None);
            }
            ["ways", ref ways @ ..] => {
                self.ways = ways
                    .iter()
                    .map(|way| way_of(way))
                    .collect::<Result<_, _>>()?;
                return Ok(None);
            }
            ["skip-old", ref ways @ ..] => {
                self.ways_not_old = ways
                    .iter()
                    .map(|way| way_of(way))
                    .collect::<Result<_, _>>()?;
                return Ok(None);
            }
            ["sleep", seconds] => {
                let seconds = seconds.parse().map_err(|_| "bad number of seconds")?;
                Action::Sleep(Duration::from_secs_f64(seconds))
            }
            ["connect", name] => Action::Connect(name.to_owned()),
            ["closed"] => Action::Closed,
            ["exit", status] => Action::Exit(status.parse().map_err(|_| "bad status")?),
            ["differ", one, two] => Action::Differ(one.to_owned(), two.to_owned()),
            _ => return Err(format!("unknown directive {rest:?}")),
        };
        Ok(Some(action))
    }
}

fn with_line_end(source: &str) -> Result<Text, String> {
    let mut text = text::parse(source)?;
    text::push(&mut text, b"\r\n");
    Ok(text)
}

fn way_of(word: &str) -> Result<Way, String> {
    match word {
        "whole" => Ok(Way::Whole),
        "bytes" => Ok(Way::Bytes),
        "pipelined" => Ok(Way::Pipelined),
        _ => Err(format!("unknown way {word:?}")),
    }
}
