//! What an application in Rust does with a cache: programs that run against a PostgreSQL and a server of their own.
//!
//! ```text
//!   patterns              all of them; the status is 1 if what one of them claims is not so
//!   patterns leases       one
//! ```
//!
//! `DATABASE_URL` names the PostgreSQL, `CORECACHED_BIN` the server's program; `scripts/examples --rust` sets both.

mod cache;
mod patterns;
mod stage;

use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let unknown = wanted
        .iter()
        .find(|name| !patterns::ALL.iter().any(|(known, _)| known == name));
    if let Some(name) = unknown {
        let names: Vec<&str> = patterns::ALL.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no pattern {name}; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let chosen = patterns::ALL
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|one| one == name));
    let (mut passed, mut failed) = (0, 0);
    for (name, run) in chosen {
        println!("\n{name}");
        match run() {
            Ok(()) => passed += 1,
            Err(error) => {
                eprintln!("{name}: {error}");
                failed += 1;
            }
        }
    }
    // In the words of cargo's tests, so that scripts can count.
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
