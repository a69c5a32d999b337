//! What the two line protocols have in common: batches of requests in groups, each group ended by a marker, so that a
//! reply that is missing or too many shows where it happened; and the comparison, group by group.

use std::collections::BTreeMap;

use corecached_fuzz::replies::Exchange;
use corecached_fuzz::{Choices, streams};

use crate::cas::CasPairs;
use crate::link::{Cuts, End, Link};
use crate::peer::Peer;
use crate::settings;

/// Ends a group.
const MARKER: &[u8] = b"mn\r\n";
/// What answers it; no other request is answered so, and no value holds it.
pub(crate) const MARKER_REPLY: &[u8] = b"MN\r\n";

/// Batches on one connection.
const BATCHES: usize = 8;

/// Ends the test early.
const DIFFERENCES_MAX: usize = 8;

/// With so many streams every rule is needed at least once.
const STREAMS_FOR_ALL_RULES: u64 = 100;

/// How often each known difference was seen, by the name that `docs/differences.md` gives it.
pub(crate) type Needed = BTreeMap<&'static str, u64>;

/// Which of a dialect's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleId(pub(crate) usize);

/// Requests between two markers.
pub(crate) struct Group {
    pub(crate) requests: Vec<Vec<u8>>,
    /// The rule for a request that is alone in its group.
    pub(crate) rule: Option<RuleId>,
}

impl Group {
    /// What is sent, marker included.
    fn bytes(&self) -> Vec<u8> {
        [&self.requests.concat(), MARKER].concat()
    }
}

/// A line protocol.
pub(crate) trait Dialect {
    /// A line, or a line with its value.
    type Unit: Clone;

    /// For people and files.
    const NAME: &'static str;
    /// Its part of `docs/differences.md`.
    const SECTION: &'static str;
    /// One in so many of the streams is enough to need every rule.
    const SHARE: u64;
    /// What differs from run to run, beside the rules.
    const VARYING: &'static [&'static str] = &[];
    /// Those of them that a run may well do without.
    const CHANCE: &'static [&'static str] = &[];

    /// The names of the rules, in order.
    fn rules() -> Vec<&'static str>;
    /// Some groups, to be sent as one batch.
    fn batch(choices: &mut Choices<'_>) -> Vec<Group>;
    /// Whether the replies to a request, theirs and ours, are what a rule says.
    fn explains(rule: RuleId, request: &[u8], theirs: &str, ours: &str) -> bool;
    /// A stream of replies; panics if it is none.
    fn units(replies: &[u8]) -> Vec<Self::Unit>;
    /// Whether both are the same, but for what varies.
    fn same(
        cas: &mut CasPairs,
        needed: &mut Needed,
        theirs: &Self::Unit,
        ours: &Self::Unit,
    ) -> bool;
    /// Whether it is the reply to the marker.
    fn is_marker(unit: &Self::Unit) -> bool;
    /// Its line; of values at least what it begins with.
    fn line(unit: &Self::Unit) -> String;
    /// For people.
    fn show(unit: &Self::Unit) -> String;
    /// Panics unless the replies can be the ones to what was sent.
    fn check(exchange: &Exchange<'_>);
}

/// Sends streams to memcached and to this server, at one shard and at several.
pub(crate) fn compare_servers<D: Dialect>() {
    let settings = settings();
    let memcached = Peer::memcached(&[]);
    let (mut needed, mut differences) = (Needed::new(), Vec::new());
    for shards in [1, 4] {
        let ours = Peer::corecached(shards, &[]);
        let mut cas = CasPairs::default();
        for stream in 0..settings.streams.div_ceil(D::SHARE) {
            let seed = settings.seed.wrapping_add(stream);
            let peers = [&memcached, &ours];
            if let Err(difference) = one_stream::<D>(seed, peers, &mut cas, &mut needed) {
                differences.push(format!(
                    "{} DIFFERENTIAL_SEED={seed} DIFFERENTIAL_STREAMS=1, {shards} shards\n{difference}",
                    D::NAME
                ));
                if differences.len() == DIFFERENCES_MAX {
                    break;
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    println!("rules needed, {}: {needed:#?}", D::NAME);
    let names = D::rules().into_iter().chain(D::VARYING.iter().copied());
    let idle: Vec<_> = names
        .filter(|name| !needed.contains_key(name) && !D::CHANCE.contains(name))
        .collect();
    assert!(
        settings.streams < STREAMS_FOR_ALL_RULES || idle.is_empty(),
        "not needed: {idle:?}"
    );
}

/// The rules and the rows of `docs/differences.md` are the same.
pub(crate) fn compare_with_document<D: Dialect>() {
    let document = include_str!("../../../../docs/differences.md");
    let section = document
        .split("\n## ")
        .find(|part| part.starts_with(D::SECTION));
    let rows = section.expect("the section").lines().skip(4);
    let written: Vec<&str> = rows
        .map_while(|row| row.strip_prefix("| ")?.split(" | ").next())
        .collect();
    assert_eq!(written, D::rules());
}

/// A connection to each server, with the same batches.
fn one_stream<D: Dialect>(
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
        let groups = D::batch(&mut choices);
        let cuts = Cuts::random(&mut choices);
        let mut replies = [Vec::new(), Vec::new()];
        for (side, who) in ["memcached", "corecached"].into_iter().enumerate() {
            let batch = filled(&groups, cas, side);
            let is_whole = |replies: &[u8]| count_markers(replies) >= groups.len();
            let (reply, end) = links[side].exchange(&batch, &cuts, is_whole);
            if end != End::Complete {
                let batch = batch.escape_ascii();
                return Err(format!("{who} is {end:?} after {batch}"));
            }
            if side == 1 {
                sent.extend_from_slice(&batch);
                received.extend_from_slice(&reply);
            }
            replies[side] = reply;
        }
        if let Err(difference) = compare::<D>(&groups, &replies, cas, needed) {
            let path = std::env::temp_dir().join(format!("differential-{}-{seed}.txt", D::NAME));
            std::fs::write(&path, &sent).expect("a temporary file");
            let path = path.display();
            return Err(format!("all that was sent: {path}\n{difference}"));
        }
    }
    D::check(&Exchange {
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

fn compare<D: Dialect>(
    groups: &[Group],
    replies: &[Vec<u8>; 2],
    cas: &mut CasPairs,
    needed: &mut Needed,
) -> Result<(), String> {
    let names = D::rules();
    let [theirs, ours] = [0, 1].map(|side| {
        let units = D::units(&replies[side]);
        let groups = units.split(D::is_marker);
        groups.map(<[D::Unit]>::to_vec).collect::<Vec<_>>()
    });
    for ((group, theirs), ours) in groups.iter().zip(&theirs).zip(&ours) {
        let alike = match group.rule {
            Some(rule) => {
                *needed.entry(names[rule.0]).or_default() += 1;
                let [theirs, ours] = [theirs, ours].map(|units| lines::<D>(units));
                D::explains(rule, &group.requests[0], &theirs, &ours)
            }
            None => {
                let mut pairs = theirs.iter().zip(ours);
                theirs.len() == ours.len()
                    && pairs.all(|(theirs, ours)| D::same(cas, needed, theirs, ours))
            }
        };
        if !alike {
            return Err(format!(
                "rule {:?}\nsent: {}\nmemcached:\n  {}\ncorecached:\n  {}",
                group.rule.map(|rule| names[rule.0]),
                beginnings(&group.requests),
                shown::<D>(theirs),
                shown::<D>(ours),
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

fn shown<D: Dialect>(units: &[D::Unit]) -> String {
    let shown: Vec<_> = units.iter().map(D::show).collect();
    shown.join("\n  ")
}

fn lines<D: Dialect>(units: &[D::Unit]) -> String {
    units.iter().map(D::line).collect()
}
