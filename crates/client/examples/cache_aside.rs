//! Get or fill with a lease: of all clients that miss a key, one asks the database, and the others wait or take the old
//! value. `cargo run --example cache_aside [HOST:PORT]`

use corecached_client::{Client, Config, Error, Lease};
use std::time::Duration;

/// How long the value is good.
const TTL: Duration = Duration::from_secs(300);
/// How long one client may take to fill it before another one may.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Error> {
    let server = std::env::args().nth(1);
    let server = server.unwrap_or_else(|| "127.0.0.1:11211".to_owned());
    let client = Client::connect([server.as_str()], Config::new())?;
    client.delete("report:2026")?;

    // Eight threads want the report at once; it is computed once.
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let client = &client;
            scope.spawn(
                move || match get_or_fill(client, "report:2026", slow_report) {
                    Ok(report) => println!("thread {thread}: {report}"),
                    Err(error) => println!("thread {thread}: {error}"),
                },
            );
        }
    });

    // Something has changed: the old report is served until a new one is there.
    client.invalidate("report:2026")?;
    println!("{}", get_or_fill(&client, "report:2026", slow_report)?);
    Ok(())
}

fn get_or_fill(client: &Client, key: &str, compute: impl Fn() -> String) -> Result<String, Error> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    loop {
        match client.lease(key, PATIENCE)? {
            Lease::Hit { item, .. } => return Ok(text(&item.value)),
            Lease::Won { token, .. } => {
                let value = compute();
                // The value is not stored if another client has changed the key meanwhile: then the next reader fills
                // it.
                client.fill(key, token, &value, TTL)?;
                return Ok(value);
            }
            Lease::Wait => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn slow_report() -> String {
    println!("(the database is asked)");
    std::thread::sleep(Duration::from_millis(200));
    "all is well".to_owned()
}
