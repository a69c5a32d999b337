//! Several servers of different sizes, each with a pool of connections; threads share the client.
//! `cargo run --example servers [HOST:PORT[=WEIGHT] ...]`

use corecached_client::{Address, Client, Config, Error, request};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let mut servers = Vec::new();
    for argument in std::env::args().skip(1) {
        let (server, weight) = argument.split_once('=').unwrap_or((&argument, "1"));
        let weight = weight.parse();
        let weight = weight.map_err(|_| Error::Config(format!("{argument}: not a weight")))?;
        servers.push((server.parse()?, weight));
    }
    if servers.is_empty() {
        servers.push((Address::tcp("127.0.0.1", 11211), 1));
    }
    let config = Config::new()
        .timeout(Duration::from_millis(200))
        .connections_max(8);
    let client = Client::weighted(servers, config)?;

    let keys: Vec<String> = (0..1000).map(|n| format!("user:{n}")).collect();
    std::thread::scope(|scope| {
        for part in keys.chunks(250) {
            let client = &client;
            scope.spawn(move || {
                for key in part {
                    if let Err(error) = client.set(key, "some value", Duration::from_secs(60)) {
                        eprintln!("{key}: {error}");
                    }
                }
            });
        }
    });
    let found = client.get_many(&keys)?;
    let hits = found.iter().flatten().count();
    println!("{hits} of {} keys found", keys.len());
    for (server, version) in client.call_all(&request::Version) {
        println!("{server}: {}", version?);
    }
    Ok(())
}
