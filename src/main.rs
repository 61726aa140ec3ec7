//! The program: arguments in, exit code out.

mod cli;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use cli::args::OutputArgs;
use cli::commands::{Cli, Command, LedgerCommand, RESERVED, SHORT_HELP};
use cli::{exit, load};

fn main() -> ExitCode {
    cli::allocator::tune();
    #[cfg(debug_assertions)]
    if let Err(words) = cli::faults::arm() {
        cli::say(&words);
        return ExitCode::from(exit::USAGE);
    }
    let cli = match command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error)
            if error.kind() == ErrorKind::MissingRequiredArgument && std::env::args_os().len() <= 1 =>
        {
            cli::say(SHORT_HELP);
            return ExitCode::from(exit::USAGE);
        }
        Err(error) => {
            let Some(word) = strange_word().filter(|_| error.use_stderr()) else {
                let Some(hint) = cli::commands::variable_of(&error, &command()) else { error.exit() };
                let _ = error.print();
                cli::say(&hint);
                return ExitCode::from(exit::USAGE);
            };
            cli::say(&cli::terminal::error_words(&format!("{}: {word}", error.kind()), None));
            return ExitCode::from(exit::USAGE);
        }
    };
    let code = dispatch(cli);
    #[cfg(debug_assertions)]
    cli::faults::tell();
    ExitCode::from(code)
}

/// Does what the first word asks for; the exit code.
fn dispatch(cli: Cli) -> u8 {
    let Some(command) = cli.command else { return run_load(cli.load) };
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut self::command(), "dbload", &mut script);
            print_all(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(self::command()).render(&mut page) {
                Ok(()) => print_all(&page),
                Err(_) => exit::UNEXPECTED,
            }
        }
        Command::Ledger(args) => match args.command {
            LedgerCommand::Sql { role } => print_ledger(&role),
        },
        Command::Fixtures(args) => run(cli::fixtures::run_and_say(args)),
        Command::Testing(args) => run(cli::testing::run_and_say(args)),
        Command::Run(args) => heard(&args.output.clone(), cli::jobs::run(*args)),
        Command::Check(args) => heard(&args.output.clone(), cli::jobs::check(*args)),
        Command::List(args) => {
            cli::tracing::init(&args.output);
            cli::jobs::list(&args)
        }
        Command::Status(args) => heard(&args.output.clone(), cli::jobs::status(*args)),
        Command::History(args) => heard(&args.output.clone(), cli::jobs::history(args)),
        Command::Show(args) => heard(&args.output.clone(), cli::jobs::show(args)),
        Command::Prune(args) => heard(&args.output.clone(), cli::jobs::prune(args)),
        Command::Watermark(args) => heard(&args.output().clone(), cli::jobs::watermark(args)),
        Command::Init(args) => cli::jobs::init(&args),
        Command::Schema => print_all(cli::jobs::schema().as_bytes()),
        Command::Local(args) => run(cli::local::run_and_say(args)),
        Command::Load(args) => run_load(*args),
        Command::Verify(args) => heard(&args.load.output.clone(), cli::verify::run(args.load)),
    }
}

/// Runs a command that says what it does as these flags have it.
fn heard(output: &OutputArgs, command: impl Future<Output = u8>) -> u8 {
    cli::tracing::init(output);
    run(command)
}

fn print_ledger(role: &str) -> u8 {
    match dbload::internals::ledger::administrator_sql(role) {
        Ok(sql) => print_all(sql.as_bytes()),
        Err(error) => {
            cli::say(&cli::terminal::error_words(&format!("--role: {error}"), None));
            exit::USAGE
        }
    }
}

/// A word of the command line that a terminal would act on: a pattern of the shell makes words of names of
/// files.
fn strange_word() -> Option<String> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.into_iter().find(|word| cli::terminal::line(word) != *word)
}

/// The flags; that each is a variable too is said once, not at each of them.
fn command() -> clap::Command {
    let hide = |command: clap::Command| command.mut_args(|arg| arg.hide_env(true));
    hide(Cli::command()).mut_subcommands(hide)
}

fn print_all(text: &[u8]) -> u8 {
    if cli::stdout::print(&String::from_utf8_lossy(text)) { exit::COMPLETE } else { exit::UNEXPECTED }
}

fn run_load(args: cli::args::LoadArgs) -> u8 {
    if let Some(word) = args.sources.first().filter(|word| RESERVED.contains(&word.as_str())) {
        let words = format!("`{word}` is kept for a command that this version does not have");
        let hint = format!("a file or folder of that name is ./{word}");
        cli::say(&cli::terminal::error_words(&words, Some(&hint)));
        return exit::USAGE;
    }
    cli::tracing::init(&args.output);
    run(load::run(args))
}

/// Runs a command on a runtime of its own; a thread that waits for standard input does not keep the process.
fn run(command: impl Future<Output = u8>) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            runtime.spawn(cli::allocator::keep_small());
            let code = runtime.block_on(command);
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            cli::say(&cli::terminal::error_words(&format!("start the runtime: {error}"), None));
            exit::UNEXPECTED
        }
    }
}
