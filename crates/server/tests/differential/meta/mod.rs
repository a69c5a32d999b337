//! The meta commands.

mod line;
mod replies;
mod rules;
mod stream;

use corecached_fuzz::Choices;
use corecached_fuzz::replies::{Exchange, meta};

use crate::cas::CasPairs;
use crate::lines::{self, Dialect, Group, MARKER_REPLY, Needed, RuleId};
use line::Line;
use replies::Unit;
use rules::RULES;

struct Meta;

impl Dialect for Meta {
    type Unit = Unit;

    const NAME: &'static str = "meta";
    const SECTION: &'static str = "Meta commands";
    const SHARE: u64 = 2;
    const VARYING: &'static [&'static str] =
        &["cas unique", "l", "me", "spaces behind a number", "t"];
    /// Whether a second ends between two requests, or a reply waits, is not for the test to say.
    const CHANCE: &'static [&'static str] = &["t", "l", "spaces behind a number"];

    fn rules() -> Vec<&'static str> {
        RULES.iter().map(|rule| rule.name).collect()
    }

    fn batch(choices: &mut Choices<'_>) -> Vec<Group> {
        stream::batch(choices)
    }

    fn explains(rule: RuleId, request: &[u8], theirs: &str, ours: &str) -> bool {
        (RULES[rule.0].explains)(&Line::of(request), theirs, ours)
    }

    fn units(replies: &[u8]) -> Vec<Unit> {
        replies::units(replies)
    }

    fn same(cas: &mut CasPairs, needed: &mut Needed, theirs: &Unit, ours: &Unit) -> bool {
        replies::same(cas, needed, theirs, ours)
    }

    fn is_marker(unit: &Unit) -> bool {
        unit.line == MARKER_REPLY
    }

    fn line(unit: &Unit) -> String {
        String::from_utf8_lossy(&unit.line).into_owned()
    }

    fn show(unit: &Unit) -> String {
        unit.show()
    }

    fn check(exchange: &Exchange<'_>) {
        meta::check(exchange);
    }
}

#[test]
fn random_meta_commands_are_answered_as_by_memcached() {
    lines::compare_servers::<Meta>();
}

#[test]
fn every_meta_rule_is_written_down() {
    lines::compare_with_document::<Meta>();
}
