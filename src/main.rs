//! The program: arguments in, exit code out.

mod cli;

use clap::{Parser, Subcommand};
use std::{error::Error, io::Write, process::ExitCode};

#[derive(Debug, Parser)]
#[command(name = "dbload", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The local PostgreSQL
    Local(cli::local::LocalArgs),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Command::Local(args) = Cli::parse().command;
    match cli::local::run(args).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mut words = format!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                words += &format!(": {source}");
                cause = source.source();
            }
            if let Some(hint) = error.hint() {
                words += &format!("\nhint: {hint}");
            }
            let _ = writeln!(std::io::stderr(), "{words}");
            ExitCode::from(5)
        }
    }
}
