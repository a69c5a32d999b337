//! Servers that stop answering, refuse, close, are killed, or send what is no reply.

use super::{Row, incident_words, ms, only_incident, run, run_mix};
use crate::bed::{Action, Bed, scripted};
use loadgen::report::model::IncidentReport;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The truth about a server that stopped answering halfway.
pub(crate) fn a_stopped_server() -> Row {
    let bed = Arc::new(Bed::honest());
    let stopper = Arc::clone(&bed);
    let thread = std::thread::spawn(move || {
        stopper.wait_for_gets(500);
        stopper.pause();
    });
    let slo = ["--slo", "p99<5s"];
    let (exit, run) = run(
        &bed.address,
        &[&["-r", "500", "-d", "2s"], &slo[..]].concat(),
    );
    thread.join().unwrap();
    let answered = bed.answered();
    bed.resume();
    let lost = run.verdict.lost_total();
    let due = run.all.completed + run.all.no_reply;
    let last = run.series.last().unwrap();
    Row::new(
        "stops answering halfway; 500/s for 2 s",
        format!(
            "{} of {due} without reply, waiting 1 to 2 s; objective missed",
            due - answered
        ),
        format!(
            "{lost} lost, p99 {:.2} s, {}",
            ms(run.all.response.p99_ns) / 1e3,
            if run.verdict.slo_missed.is_empty() {
                "objective kept"
            } else {
                "objective missed"
            }
        ),
    )
    .expect("exit 6", exit == 6)
    .expect("as many as were not answered", lost == due - answered)
    .expect("about half", (300..700).contains(&lost))
    .expect("all counted", run.all.response.count == due)
    .expect("lost, not overloaded", run.verdict.overloaded.is_none())
    .expect("p99", ms(run.all.response.p99_ns) > 1500.0)
    .expect(
        "last window",
        ms(last.p50_ns) > 900.0 && last.no_reply > 100,
    )
}

/// Sets, whose replies all look alike: each that is dropped leaves one request without a reply at the end.
pub(crate) fn dropped_replies() -> Row {
    let (sets, dropped) = (AtomicUsize::new(0), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&dropped);
    let address = scripted(move |_| {
        if sets.fetch_add(1, Ordering::SeqCst) % 100 == 50 {
            counter.fetch_add(1, Ordering::SeqCst);
            return Action::Silence;
        }
        Action::Reply("STORED\r\n".to_owned())
    })
    .to_string();
    let more = ["-r", "1k", "-d", "2s", "--no-preload", "--slo", "p50<10s"];
    let (exit, run) = run_mix(&address, "set", &more);
    let dropped = dropped.load(Ordering::SeqCst);
    let lost = run.verdict.lost_total();
    Row::new(
        "drops 1% of the replies to sets",
        format!("{dropped} lost"),
        format!("{lost} lost"),
    )
    .expect("exit 6", exit == 6)
    .expect("as dropped", lost == dropped)
    .expect("in the objective", !run.verdict.slo_missed.is_empty())
    .expect("not overloaded", run.verdict.overloaded.is_none())
}

pub(crate) fn refused_sets() -> Row {
    let refused = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&refused);
    let address = scripted(move |line| {
        if line.is_get() {
            return Action::Reply("END\r\n".to_owned());
        }
        counter.fetch_add(1, Ordering::SeqCst);
        Action::Reply("SERVER_ERROR out of memory storing object\r\n".to_owned())
    })
    .to_string();
    let more = ["-r", "1k", "-d", "1s", "--no-preload", "--slo", "p99<60s"];
    let (exit, run) = run_mix(&address, "get=90,set=10", &more);
    let refused = refused.load(Ordering::SeqCst);
    let set = run
        .classes
        .iter()
        .find(|class| class.verb == "set")
        .unwrap();
    Row::new(
        "refuses every set (10% of requests)",
        format!("{refused} refused, no set has a response time"),
        format!(
            "{} errors, p99 of sets {}, {}",
            run.all.errors,
            loadgen::units::format_latency(set.response.p99_ns),
            run.verdict.slo_missed.join("; ")
        ),
    )
    .expect("exit 6", exit == 6)
    .expect("as refused", run.all.errors == refused)
    .expect("no percentile", set.response.p99_ns.is_none())
    .expect("objective", !run.verdict.slo_missed.is_empty())
}

pub(crate) fn one_connection_closed() -> Row {
    let bed = Bed::start(|_, get| match get.number {
        500 => Action::Close,
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &["-r", "500", "-d", "2s"]);
    let incident = only_incident(&run);
    let is = |holds: fn(&IncidentReport) -> bool| incident.is_some_and(holds);
    Row::new(
        "closes 1 of 50 connections on request 500",
        "1 closed, opened again, 1 or few requests lost".to_owned(),
        format!(
            "{}; {} lost",
            incident_words(&run),
            run.verdict.lost_total()
        ),
    )
    .expect("exit 4", exit == 4)
    .expect(
        "one closed",
        is(|incident| incident.kind == "closed" && incident.count == 1),
    )
    .expect("opened again", is(|incident| incident.reopened == 1))
    .expect(
        "the time",
        is(|incident| (0.5..2.0).contains(&incident.first_s)),
    )
    .expect("few lost", (1..50).contains(&run.verdict.lost_total()))
    .expect("the rest goes on", run.all.completed > 800)
}

pub(crate) fn one_server_of_three_killed() -> Row {
    let beds = Arc::new([Bed::honest(), Bed::honest(), Bed::honest()]);
    let killer = Arc::clone(&beds);
    let thread = std::thread::spawn(move || {
        killer[1].wait_for_gets(200);
        killer[1].kill();
        [killer[0].gets(), killer[2].gets()]
    });
    let addresses: Vec<&str> = beds.iter().map(|bed| bed.address.as_str()).collect();
    let (exit, run) = run(&addresses.join(","), &["-r", "600", "-d", "2s", "-c", "30"]);
    let at_kill = thread.join().unwrap();
    let after = [beds[0].gets() - at_kill[0], beds[2].gets() - at_kill[1]];
    let lost = run.verdict.lost_total();
    let due = run.all.completed + run.all.no_reply;
    let answered: u64 = beds.iter().map(Bed::answered).sum();
    let names = |incident: &IncidentReport| incident.server == beds[1].address;
    Row::new(
        "three servers, one killed after its request 200",
        format!(
            "{} of {due} without reply; 10 connections closed",
            due - answered
        ),
        format!("{lost} lost; {}", incident_words(&run)),
    )
    .expect("exit 4", exit == 4)
    .expect("the others go on", after.iter().all(|&count| count > 50))
    .expect("named", run.verdict.incidents.iter().all(names))
    .expect(
        "ten closed",
        only_incident(&run).is_some_and(|incident| incident.count == 10),
    )
    // The last bytes that the server wrote as it was killed may not have arrived.
    .expect("counted", lost.abs_diff(due - answered) < 10 && lost > 50)
    .expect("the waits count", run.all.response.count == due)
    .expect("not overloaded", run.verdict.overloaded.is_none())
}

pub(crate) fn a_malformed_reply() -> Row {
    let bed = Bed::start(|_, get| match get.number {
        300 => Action::Reply("WHAT?\r\n".to_owned()),
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &["-r", "500", "-d", "2s"]);
    let incident = only_incident(&run);
    Row::new(
        "answers request 300 with \"WHAT?\"",
        "1 malformed reply".to_owned(),
        incident_words(&run),
    )
    .expect("exit 4", exit == 4)
    .expect(
        "one, quoted",
        incident.is_some_and(|incident| {
            incident.kind == "malformed reply"
                && incident.count == 1
                && incident.example.contains("WHAT?")
        }),
    )
    .expect("the rest goes on", run.all.completed > 800)
}
