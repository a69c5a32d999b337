//! The classic text protocol.

mod line;
mod replies;
mod rules;
mod stream;

use corecached_fuzz::Choices;
use corecached_fuzz::replies::{Exchange, text};

use crate::cas::CasPairs;
use crate::lines::{self, Dialect, Group, MARKER_REPLY, Needed, RuleId};
use line::Line;
use replies::Unit;
use rules::RULES;

struct Text;

impl Dialect for Text {
    type Unit = Unit;

    const NAME: &'static str = "text";
    const SECTION: &'static str = "Classic text";
    const SHARE: u64 = 1;

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

    fn same(cas: &mut CasPairs, _: &mut Needed, theirs: &Unit, ours: &Unit) -> bool {
        replies::same(cas, theirs, ours)
    }

    fn is_marker(unit: &Unit) -> bool {
        matches!(unit, Unit::Line(line) if line == MARKER_REPLY)
    }

    fn line(unit: &Unit) -> String {
        match unit {
            Unit::Line(line) => String::from_utf8_lossy(line).into_owned(),
            Unit::Value { .. } => unit.show(),
        }
    }

    fn show(unit: &Unit) -> String {
        unit.show()
    }

    fn check(exchange: &Exchange<'_>) {
        text::check(exchange);
    }
}

#[test]
fn random_commands_are_answered_as_by_memcached() {
    lines::compare_servers::<Text>();
}

#[test]
fn every_rule_is_written_down() {
    lines::compare_with_document::<Text>();
}
