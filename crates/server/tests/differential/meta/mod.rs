//! The meta commands.

mod line;
mod replies;
mod rules;
mod stream;

use std::collections::BTreeMap;

use corecached_fuzz::replies::{Exchange, meta};
use corecached_fuzz::{Choices, streams};

use crate::cas::CasPairs;
use crate::link::{Cuts, End, Link};
use crate::peer::Peer;
use crate::settings;
use line::Line;
use replies::{Unit, same, units};
use rules::RULES;
use stream::{Group, MARKER_REPLY, batch};

/// Half as many streams as of the text protocol are enough for every rule.
const SHARE: u64 = 2;

/// Batches on one connection.
const BATCHES: usize = 8;

/// Ends the test early.
const DIFFERENCES_MAX: usize = 8;

/// What differs from run to run, as `docs/differences.md` lists it.
const VARYING: [&str; 5] = ["cas unique", "l", "me", "spaces behind a number", "t"];

/// How often each rule was needed.
type Needed = BTreeMap<&'static str, u64>;

#[test]
fn random_meta_commands_are_answered_as_by_memcached() {
    let settings = settings();
    let memcached = Peer::memcached(&[]);
    let (mut needed, mut differences) = (Needed::new(), Vec::new());
    for shards in [1, 4] {
        let ours = Peer::corecached(shards, &[]);
        let mut cas = CasPairs::default();
        for stream in 0..settings.streams.div_ceil(SHARE) {
            let seed = settings.seed.wrapping_add(stream);
            let context =
                format!("meta DIFFERENTIAL_SEED={seed} DIFFERENTIAL_STREAMS=1, {shards} shards");
            let peers = [&memcached, &ours];
            if let Err(difference) = one_stream(seed, peers, &mut cas, &mut needed) {
                differences.push(format!("{context}\n{difference}"));
                if differences.len() == DIFFERENCES_MAX {
                    break;
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    println!("rules needed for meta commands: {needed:#?}");
    let names = RULES.iter().map(|rule| rule.name).chain(VARYING);
    // Whether a second ends between two requests, or a reply waits, is not for the test to say.
    let chance = ["t", "l", "spaces behind a number"];
    let idle: Vec<_> = names
        .filter(|name| !needed.contains_key(name) && !chance.contains(name))
        .collect();
    assert!(
        settings.streams < 100 || idle.is_empty(),
        "not needed: {idle:?}"
    );
}

#[test]
fn every_meta_rule_is_written_down() {
    let document = include_str!("../../../../../docs/differences.md");
    let section = document
        .split("\n## ")
        .find(|part| part.starts_with("Meta commands"));
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
) -> Result<(), String> {
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
            let batch = batches[side].escape_ascii();
            assert_eq!(end, End::Complete, "{who}, seed {seed}, after {batch}");
            replies
        });
        sent.extend_from_slice(&batches[1]);
        received.extend_from_slice(&replies[1]);
        if let Err(difference) = compare(&groups, &replies, cas, needed) {
            let path = std::env::temp_dir().join(format!("differential-meta-{seed}.txt"));
            std::fs::write(&path, &sent).expect("a temporary file");
            return Err(format!(
                "all that was sent: {}\n{difference}",
                path.display()
            ));
        }
    }
    meta::check(&Exchange {
        sent: &sent,
        received: &received,
        closed: false,
    });
    Ok(())
}

/// The bytes for one of the two servers: each gets the cas uniques that it gave.
fn filled(groups: &[Group], cas: &CasPairs, side: usize) -> Vec<u8> {
    let bytes: Vec<u8> = groups.iter().flat_map(Group::bytes).collect();
    streams::fill_in(&bytes, |key| {
        let (theirs, ours) = cas.last(key);
        [theirs, ours][side]
    })
}

fn count_markers(replies: &[u8]) -> usize {
    let windows = replies.windows(MARKER_REPLY.len());
    windows.filter(|window| *window == MARKER_REPLY).count()
}

fn compare(
    groups: &[Group],
    replies: &[Vec<u8>; 2],
    cas: &mut CasPairs,
    needed: &mut Needed,
) -> Result<(), String> {
    let [theirs, ours] = [0, 1].map(|side| {
        let units = units(&replies[side]);
        let groups = units.split(|unit| unit.line == MARKER_REPLY);
        groups.map(<[Unit]>::to_vec).collect::<Vec<_>>()
    });
    for ((group, theirs), ours) in groups.iter().zip(&theirs).zip(&ours) {
        let alike = match group.rule {
            Some(rule) => {
                *needed.entry(rule.name).or_default() += 1;
                let line = Line::of(&group.requests[0]);
                (rule.explains)(&line, &text_of(theirs), &text_of(ours))
            }
            None => {
                let mut pairs = theirs.iter().zip(ours);
                theirs.len() == ours.len()
                    && pairs.all(|(theirs, ours)| same(cas, needed, theirs, ours))
            }
        };
        if !alike {
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
    let beginnings: Vec<_> = requests.iter().map(beginning).collect();
    beginnings.join("\n      ")
}

fn shown(units: &[Unit]) -> String {
    let shown: Vec<_> = units.iter().map(Unit::show).collect();
    shown.join("\n  ")
}

/// The lines of a reply, without values.
fn text_of(units: &[Unit]) -> String {
    let lines = units.iter();
    lines
        .map(|unit| String::from_utf8_lossy(&unit.line))
        .collect()
}
