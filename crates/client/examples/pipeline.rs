//! A pipeline: requests of several kinds in one round trip. `cargo run --example pipeline [HOST:PORT]`

use corecached_client::request::{Arith, Get, Store, StoreVerb};
use corecached_client::{Config, Connection, Error};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let server = std::env::args().nth(1);
    let server = server.unwrap_or_else(|| "127.0.0.1:11211".to_owned());
    let mut connection = Connection::open(server.as_str(), &Config::new())?;

    let mut pipeline = connection.pipeline()?;
    let minute = Duration::from_secs(60);
    let page = pipeline.ask(Store::new(StoreVerb::Set, "page", "<html>").ttl(minute))?;
    let views = pipeline.ask(Arith::incr("views", 1).or_create(1, minute))?;
    let found = pipeline.ask(Get::new("page").with_cas())?;

    let mut answers = pipeline.finish()?;
    println!("stored: {:?}", answers.take(page)?);
    println!("views: {:?}", answers.take(views)?);
    println!("found: {:?}", answers.take(found)?);
    Ok(())
}
