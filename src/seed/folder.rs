//! A folder of fixtures, read whole: they are small, and every reference may lead to any of them.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::SeedError;
use super::export::ExportedTable;
use crate::fixtures::{FixtureFile, Fixtures, Problem, Problems};

/// A file as it lies in its folder.
#[derive(Debug, Clone)]
pub struct RawFixture {
    file: FixtureFile,
    /// What is in it.
    pub content: Bytes,
}

impl RawFixture {
    /// Its name below the folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name
    }
}

/// Reads all fixtures of a folder. Blocks.
///
/// # Errors
/// Files that cannot be read, or say what cannot be.
pub fn read_folder(dir: &Path) -> Result<Fixtures, SeedError> {
    let (files, mut problems) = gathered(dir)?;
    let fixtures = rows_of(&files, &mut problems);
    if problems.is_empty() { Ok(fixtures) } else { Err(Problems(problems).into()) }
}

/// The rows in files.
///
/// # Errors
/// They say what cannot be.
pub fn understood(files: &[RawFixture]) -> Result<Fixtures, Problems> {
    let mut problems = Vec::new();
    let fixtures = rows_of(files, &mut problems);
    if problems.is_empty() { Ok(fixtures) } else { Err(Problems(problems)) }
}

fn rows_of(files: &[RawFixture], problems: &mut Vec<Problem>) -> Fixtures {
    let mut fixtures = Fixtures::default();
    for raw in files {
        fixtures.read(&raw.file, raw.content.clone(), problems);
    }
    fixtures
}

/// The files of a folder as they lie there, by name. Blocks.
///
/// # Errors
/// Files that cannot be read, or are no fixtures.
pub fn read_raw(dir: &Path) -> Result<Vec<RawFixture>, SeedError> {
    let (files, problems) = gathered(dir)?;
    if problems.is_empty() { Ok(files) } else { Err(Problems(problems).into()) }
}

/// The files of a folder, and what is wrong with the names of others.
fn gathered(dir: &Path) -> Result<(Vec<RawFixture>, Vec<Problem>), SeedError> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for (name, path) in listed(dir)? {
        if path.is_dir() {
            for (file, path) in listed(&path)? {
                read(Some(&name), &file, &path, &mut files, &mut problems)?;
            }
        } else {
            read(None, &name, &path, &mut files, &mut problems)?;
        }
    }
    if files.is_empty() && problems.is_empty() {
        let words = "there are no fixtures: a file is named after its table, such as users.jsonl";
        problems.push(Problem::at(dir.display(), words));
    }
    Ok((files, problems))
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
    files: &mut Vec<RawFixture>,
    problems: &mut Vec<Problem>,
) -> Result<(), SeedError> {
    match FixtureFile::named(folder, name) {
        Ok(None) => {}
        Ok(Some(file)) => {
            let content =
                fs::read(path).map_err(|source| SeedError::File { path: path.to_owned(), source })?;
            files.push(RawFixture { file, content: Bytes::from(content) });
        }
        Err(words) => problems.push(Problem::at(path.display(), words)),
    }
    Ok(())
}

/// Writes fixtures into a folder, which is made where it is not there. Blocks.
///
/// # Errors
/// It cannot be written.
pub fn write_folder(dir: &Path, tables: &[ExportedTable]) -> Result<(), SeedError> {
    fs::create_dir_all(dir).map_err(|source| SeedError::File { path: dir.to_owned(), source })?;
    for table in tables {
        let path = dir.join(&table.file);
        fs::write(&path, &table.content).map_err(|source| SeedError::File { path, source })?;
    }
    Ok(())
}
