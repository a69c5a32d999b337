//! The classic text protocol.

mod line;
mod replies;
mod rules;
mod stream;

use std::collections::BTreeMap;

use corecached_fuzz::replies::{Exchange, text};
use corecached_fuzz::{Choices, streams};

use crate::cas::CasPairs;
use crate::link::{Cuts, End, Link};
use crate::peer::Peer;
use crate::settings;
use line::Line;
use replies::{Unit, same, units};
use rules::RULES;
use stream::{Group, MARKER_REPLY, batch};

/// Batches on one connection.
const BATCHES: usize = 8;

/// How often each rule was needed.
type Needed = BTreeMap<&'static str, u64>;

#[test]
fn random_commands_are_answered_as_by_memcached() {
    let settings = settings();
    let memcached = Peer::memcached(&[]);
    let mut needed = Needed::new();
    for shards in [1, 4] {
        let ours = Peer::corecached(shards, &[]);
        let mut cas = CasPairs::default();
        for stream in 0..settings.streams {
            let seed = settings.seed.wrapping_add(stream);
            let context =
                format!("DIFFERENTIAL_SEED={seed} DIFFERENTIAL_STREAMS=1, {shards} shards");
            one_stream(seed, [&memcached, &ours], &mut cas, &mut needed, &context);
        }
    }
    println!("rules needed: {needed:#?}");
    let idle: Vec<_> = RULES
        .iter()
        .filter(|rule| !needed.contains_key(rule.name))
        .collect();
    let idle: Vec<_> = idle.iter().map(|rule| rule.name).collect();
    assert!(
        settings.streams < 100 || idle.is_empty(),
        "not needed: {idle:?}"
    );
}

#[test]
fn every_rule_is_written_down() {
    let document = include_str!("../../../../../docs/differences.md");
    let section = document
        .split("\n## ")
        .find(|part| part.starts_with("Classic text"));
    let rows = section.expect("the section").lines().skip(4);
    let written: Vec<&str> = rows
        .map_while(|row| row.strip_prefix("| ")?.split(" | ").next())
        .collect();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(written, rules);
}

/// A connection to each server, with the same batches.
fn one_stream(
    seed: u64,
    peers: [&Peer; 2],
    cas: &mut CasPairs,
    needed: &mut Needed,
    context: &str,
) {
    let mut choices = Choices::seeded(seed);
    let mut links = peers.map(|peer| Link::over(peer.connect()));
    let (mut sent, mut received) = (b"flush_all\r\n".to_vec(), Vec::new());
    let ends = |replies: &[u8]| replies.ends_with(b"OK\r\n");
    for link in &mut links {
        received = link.exchange(&sent, &Cuts::random(&mut choices), ends).0;
    }
    for _ in 0..BATCHES {
        let groups = batch(&mut choices);
        let cuts = Cuts::random(&mut choices);
        let batches = [0, 1].map(|side| filled(&groups, cas, side));
        let replies = [0, 1].map(|side| {
            let (replies, end) = links[side].exchange(&batches[side], &cuts, |replies| {
                count_markers(replies) >= groups.len()
            });
            let who = ["memcached", "corecached"][side];
            assert_eq!(
                end,
                End::Complete,
                "{context}: {who} after {}",
                batches[side].escape_ascii()
            );
            replies
        });
        sent.extend_from_slice(&batches[1]);
        received.extend_from_slice(&replies[1]);
        if let Err(difference) = compare(&groups, &replies, cas, needed) {
            let path = std::env::temp_dir().join(format!("differential-{seed}.txt"));
            std::fs::write(&path, &sent).expect("a temporary file");
            panic!(
                "{context}\nall that was sent: {}\n{difference}",
                path.display()
            );
        }
    }
    text::check(&Exchange {
        sent: &sent,
        received: &received,
        closed: false,
    });
}

/// The bytes for one of the two servers: each gets the cas uniques that it gave.
fn filled(groups: &[Group], cas: &CasPairs, side: usize) -> Vec<u8> {
    let bytes: Vec<u8> = groups.iter().flat_map(Group::bytes).collect();
    streams::fill_in(&bytes, |key| {
        let (theirs, ours) = cas.last(key);
        [theirs, ours][side]
    })
}

/// Markers in the replies. Data of values never holds one.
fn count_markers(replies: &[u8]) -> usize {
    replies
        .windows(MARKER_REPLY.len())
        .filter(|window| *window == MARKER_REPLY)
        .count()
}

fn compare(
    groups: &[Group],
    replies: &[Vec<u8>; 2],
    cas: &mut CasPairs,
    needed: &mut Needed,
) -> Result<(), String> {
    let [theirs, ours] = [0, 1].map(|side| {
        let units = units(&replies[side]);
        let is_marker = |unit: &Unit| *unit == Unit::Line(MARKER_REPLY.to_vec());
        let groups = units.split(is_marker).map(<[Unit]>::to_vec);
        groups.collect::<Vec<_>>()
    });
    for ((group, theirs), ours) in groups.iter().zip(&theirs).zip(&ours) {
        let same = match group.rule {
            Some(rule) => {
                *needed.entry(rule.name).or_default() += 1;
                let line = Line::of(&group.requests[0]);
                (rule.explains)(&line, &text_of(theirs), &text_of(ours))
            }
            None => {
                let mut pairs = theirs.iter().zip(ours);
                theirs.len() == ours.len()
                    && pairs.all(|(theirs, ours)| self::same(cas, theirs, ours))
            }
        };
        if !same {
            return Err(format!(
                "rule {:?}\nsent: {}\nmemcached:\n  {}\ncorecached:\n  {}",
                group.rule.map(|rule| rule.name),
                beginnings(&group.requests),
                shown(theirs),
                shown(ours),
            ));
        }
    }
    Ok(())
}

/// The first bytes of each request; the seed gives the rest.
fn beginnings(requests: &[Vec<u8>]) -> String {
    let beginning =
        |request: &Vec<u8>| request[..request.len().min(200)].escape_ascii().to_string();
    requests
        .iter()
        .map(beginning)
        .collect::<Vec<_>>()
        .join("\n      ")
}

fn shown(units: &[Unit]) -> String {
    units
        .iter()
        .map(Unit::show)
        .collect::<Vec<_>>()
        .join("\n  ")
}

/// The lines of a reply; of values their first line.
fn text_of(units: &[Unit]) -> String {
    let lines = units.iter().map(|unit| match unit {
        Unit::Line(line) => String::from_utf8_lossy(line).into_owned(),
        Unit::Value { .. } => unit.show(),
    });
    lines.collect()
}
