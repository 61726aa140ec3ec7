//! `dbload init SOURCE..`: a first job file, which `dbload check` accepts.

use std::io::Write as _;
use std::path::Path;

use super::args::InitJobArgs;
use crate::cli::exit;
use crate::cli::terminal::{error_words, line};
use crate::cli::web::is_url;

/// Writes it; the exit code.
pub(crate) fn init(args: &InitJobArgs) -> u8 {
    let text = text(&args.sources, std::env::current_dir().ok().as_deref());
    let written = std::fs::File::create_new(&args.file).and_then(|mut file| file.write_all(text.as_bytes()));
    let shown = args.file.to_string_lossy();
    match written {
        Ok(()) => {
            crate::cli::say(&format!("wrote {}; next: dbload check {0}, then dbload run {0}", line(&shown)));
            if args.sources.iter().any(|source| is_url(source)) {
                crate::cli::say(
                    "hint: name the key of what a URL gives: without one, each run appends all of it to a table that has no primary \
                     key",
                );
            }
            exit::COMPLETE
        }
        Err(error) => {
            crate::cli::say(&error_words(&format!("{shown}: {error}"), None));
            exit::USAGE
        }
    }
}

/// A file with a load for each source.
fn text(sources: &[String], folder: Option<&Path>) -> String {
    let folder = folder.and_then(|folder| folder.file_name()).map(|name| name.to_string_lossy().into_owned());
    let job = folder.as_deref().map(plain).filter(|name| !name.is_empty()).unwrap_or("job".to_owned());
    let mut out = format!(
        "# docs/jobs.md says what may stand here; `dbload schema` prints it for editors.\n\
         name = {}\n\n[target]\n# dsn = \"env:DATABASE_URL\"\n# pool_size = 4\n# max_memory = \"64MiB\"\n\n\
         [defaults]\n# key = [\"id\"]\n",
        quoted(&job)
    );
    let mut names: Vec<String> = Vec::new();
    for source in sources {
        let stem = name_of(source);
        let mut name = stem.clone();
        for n in 2.. {
            if !names.contains(&name) {
                break;
            }
            name = format!("{stem}_{n}");
        }
        out.push_str(&format!("\n[load.{name}]\nsource = {}\n", quoted(source)));
        if is_url(source) {
            out.push_str("# Without a key, each run appends all that the URL gives to a table that has no primary key.\n");
            out.push_str("# key = [\"id\"]\n");
        }
        names.push(name);
    }
    out
}

/// What a load of a source is called: as its table would be without a file.
fn name_of(source: &str) -> String {
    let path = source.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let stem = plain(last.split('.').next().unwrap_or_default());
    if stem.is_empty() { "data".to_owned() } else { stem }
}

/// As a name of a load may be.
fn plain(text: &str) -> String {
    const LONGEST: usize = 50;
    let name: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
        .collect();
    name.trim_matches('_').to_owned()
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    // A string of JSON is one of TOML; only DEL is not.
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007f")
}
