//! A folder of fixtures, read whole: they are small, and every reference may lead to any of them.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::SeedError;
use crate::fixtures::{FixtureFile, Fixtures, Problem, Problems};

/// Reads all fixtures of a folder. Blocks.
///
/// # Errors
/// Files that cannot be read, or say what cannot be.
pub fn read_folder(dir: &Path) -> Result<Fixtures, SeedError> {
    let (mut fixtures, mut problems) = (Fixtures::default(), Vec::new());
    for (name, path) in listed(dir)? {
        if path.is_dir() {
            for (file, path) in listed(&path)? {
                read(Some(&name), &file, &path, &mut fixtures, &mut problems)?;
            }
        } else {
            read(None, &name, &path, &mut fixtures, &mut problems)?;
        }
    }
    if fixtures.tables.is_empty() && problems.is_empty() {
        problems.push(Problem::at(
            dir.display(),
            "there are no fixtures: a file is named after its table, such as users.jsonl",
        ));
    }
    if problems.is_empty() { Ok(fixtures) } else { Err(Problems(problems).into()) }
}

/// What is in a folder, by name.
fn listed(dir: &Path) -> Result<Vec<(String, PathBuf)>, SeedError> {
    let failed = |source| SeedError::File { path: dir.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}

fn read(
    folder: Option<&str>,
    name: &str,
    path: &Path,
    fixtures: &mut Fixtures,
    problems: &mut Vec<Problem>,
) -> Result<(), SeedError> {
    match FixtureFile::named(folder, name) {
        Ok(None) => {}
        Ok(Some(file)) => {
            let content =
                fs::read(path).map_err(|source| SeedError::File { path: path.to_owned(), source })?;
            fixtures.read(&file, Bytes::from(content), problems);
        }
        Err(words) => problems.push(Problem::at(path.display(), words)),
    }
    Ok(())
}
