//! The API of the example warehouse: `cargo run --example warehouse`, and beside it `dbload run` in this
//! folder, as [README.md](README.md) says.

#![expect(clippy::print_stdout, reason = "it says where it listens")]

mod server;

/// Where dbload.toml looks for it.
const PLACE: &str = "127.0.0.1:8417";

fn main() -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind(PLACE)?;
    println!("http://{PLACE}/customers, http://{PLACE}/orders?day=2026-01-01");
    server::serve(&listener);
    Ok(())
}
