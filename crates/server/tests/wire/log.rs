//! `-o log=json`: every line on standard error is one JSON object.

use std::collections::BTreeMap;
use std::io::{Read, pipe};
use std::iter::Peekable;
use std::str::Chars;

use crate::faults::eventually;
use crate::server::Server;

/// An object of strings and numbers, as the log has them: strings as they are meant, numbers as they stand.
fn object(line: &str) -> BTreeMap<String, String> {
    let mut rest = line.chars().peekable();
    let mut fields = BTreeMap::new();
    assert_eq!(rest.next(), Some('{'), "{line}");
    loop {
        let name = string(&mut rest);
        assert_eq!(rest.next(), Some(':'), "{line}");
        let value = match rest.peek() {
            Some('"') => string(&mut rest),
            _ => {
                let number: String =
                    std::iter::from_fn(|| rest.next_if(|&next| !",}".contains(next))).collect();
                let is_plain = number == "true" || number == "false";
                assert!(is_plain || number.parse::<i64>().is_ok(), "{line}");
                number
            }
        };
        assert!(fields.insert(name, value).is_none(), "twice: {line}");
        match rest.next() {
            Some(',') => {}
            end => {
                assert_eq!((end, rest.next()), (Some('}'), None), "{line}");
                return fields;
            }
        }
    }
}

fn string(rest: &mut Peekable<Chars<'_>>) -> String {
    assert_eq!(rest.next(), Some('"'));
    let mut text = String::new();
    loop {
        match rest.next().expect("a string ends") {
            '"' => return text,
            '\\' => match rest.next().unwrap() {
                'n' => text.push('\n'),
                'u' => {
                    let code: String = rest.take(4).collect();
                    let code = u32::from_str_radix(&code, 16).unwrap();
                    text.push(char::from_u32(code).unwrap());
                }
                itself => {
                    assert!("\"\\".contains(itself));
                    text.push(itself);
                }
            },
            character => {
                assert!(!character.is_control(), "{character:?}");
                text.push(character);
            }
        }
    }
}

/// All lines of the server, each with a time and a level.
fn lines(server: &Server) -> Vec<BTreeMap<String, String>> {
    let text = server.stderr_text();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines: Vec<_> = whole.lines().map(object).collect();
    for line in &lines {
        let time = &line["time"];
        assert!(
            time.len() == 27 && time.ends_with('Z') && &time[10..11] == "T",
            "{time}"
        );
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&line["level"].as_str()));
        assert!(line.contains_key("message"));
    }
    lines
}

#[test]
fn every_line_is_an_object() {
    for shards in [1, 4] {
        let server = Server::start(shards, &["-vv", "-o", "log=json,slow_us=1"]);
        let mut client = server.connect();
        assert_eq!(client.set("a\"b\\c\u{e9}", "x"), "STORED");
        assert!(client.ask("no \"command\" \\ \t").starts_with("ERROR"));
        let has = |is: &dyn Fn(&BTreeMap<String, String>) -> bool| lines(&server).iter().any(is);
        eventually("the slow log has its fields", || {
            has(&|line| {
                line.get("key").is_some_and(|key| key == "a%22b%5Cc%C3%A9")
                    && line["message"] == "slow"
                    && line["level"] == "WARN"
                    && line["cmd"] == "set"
                    && line["commands"] == "1"
                    && line["total_us"].parse::<u64>().is_ok()
                    && line["shard"].parse::<usize>().unwrap() < shards
                    && line["client"].starts_with("tcp:127.0.0.1:")
            })
        });
        eventually("requests are shown", || {
            has(&|line| line["level"] == "DEBUG" && line["message"].contains("no \\\"command\\\""))
        });
        assert!(has(&|line| {
            line["level"] == "INFO" && line["message"].starts_with("corecached: ready on")
        }));
    }
}

/// A collector of logs that is stuck must not be one of the cache.
#[test]
fn who_does_not_read_the_log_delays_nobody_and_is_told_what_was_lost() {
    let (mut reader, writer) = pipe().unwrap();
    let server = Server::start_prepared("127.0.0.1", 2, &["-vv"], &mut |command| {
        command.stderr(writer.try_clone().unwrap());
    });
    drop(writer);
    let mut client = server.connect();
    // Each of these lines is shown, and all of them are more than a pipe holds.
    for number in 0..5_000 {
        assert_eq!(client.ask(&format!("mg key{number:060}")), "EN");
    }
    let mut text = Vec::new();
    let mut bytes = [0; 64 * 1024];
    eventually("the loss is told", || {
        client.ask("mn");
        let count = reader.read(&mut bytes).unwrap();
        text.extend_from_slice(&bytes[..count]);
        String::from_utf8_lossy(&text).contains("messages lost, as standard error was full: ")
    });
}
