//! SQL files as people have them: a schema that `pg_dump` wrote, and folders of migrations.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::TestingCause;

/// A file of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// Its path, for people.
    pub(super) name: String,
    /// What the server gets.
    pub(super) sql: String,
}

impl Script {
    /// Reads a file. Blocks.
    pub(super) fn read(path: &Path) -> Result<Self, TestingCause> {
        let text = fs::read_to_string(path)
            .map_err(|source| TestingCause::File { path: path.to_owned(), source })?;
        let name = path.display().to_string();
        let sql = without_restrictions(&text).map_err(|line| {
            TestingCause::Refused(format!(
                "{name}: the line `{line}` is for psql, and the server does not know it"
            ))
        })?;
        Ok(Self { name, sql })
    }
}

/// What `pg_dump` writes for psql alone is left out; anything else that is for psql is an error.
fn without_restrictions(text: &str) -> Result<String, String> {
    let mut sql = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_whitespace().next() {
            Some("\\restrict" | "\\unrestrict") => {}
            Some(word) if line.starts_with('\\') && word.len() > 1 => return Err(line.trim_end().to_owned()),
            _ => sql.push_str(line),
        }
    }
    Ok(sql)
}

/// The migrations of a folder, in their order: of sqlx (`1_a.sql`, `1_a.up.sql`), refinery (`V1__a.sql`) or
/// diesel (`1_a/up.sql`). Blocks.
pub(super) fn in_folder(dir: &Path) -> Result<Vec<Script>, TestingCause> {
    let failed = |source| TestingCause::File { path: dir.to_owned(), source };
    let mut found: Vec<(u128, String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let file = if path.is_dir() { path.join("up.sql") } else { path };
        let Some(version) = version_of(&name) else { continue };
        if file.is_file() {
            found.push((version, name, file));
        }
    }
    if found.is_empty() {
        return Err(TestingCause::Refused(format!(
            "{}: no migrations of sqlx (1_a.sql), refinery (V1__a.sql) or diesel (1_a/up.sql) are there",
            dir.display()
        )));
    }
    found.sort();
    found.iter().map(|(_, _, path)| Script::read(path)).collect()
}

/// The version that a name begins with. `None`: it is no migration, or one that undoes another.
fn version_of(name: &str) -> Option<u128> {
    let is_sql = !name.contains('.') || name.ends_with(".sql");
    if !is_sql || name.ends_with(".down.sql") || name.starts_with('U') {
        return None;
    }
    let digits = name.strip_prefix('V').unwrap_or(name);
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '-')?;
    let version: String = digits[..end].chars().filter(char::is_ascii_digit).collect();
    digits[end..].starts_with('_').then(|| version.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_of_each_kind_have_their_version() {
        for (name, version) in [
            ("20240101120000_init.sql", Some(20_240_101_120_000)),
            ("0001_init.up.sql", Some(1)),
            ("0001_init.down.sql", None),
            ("V10__b.sql", Some(10)),
            ("U10__b.sql", None),
            ("2024-01-01-000000_users", Some(20_240_101_000_000)),
            ("00000000000000_diesel_initial_setup", Some(0)),
            ("README.md", None),
            ("mod.rs", None),
            (".keep", None),
        ] {
            assert_eq!(version_of(name), version, "{name}");
        }
    }

    #[test]
    fn what_is_for_psql_is_left_out_or_named() {
        let dump = "\\restrict abc\nCREATE TABLE t ();\n\\unrestrict abc\n";
        assert_eq!(without_restrictions(dump), Ok("CREATE TABLE t ();\n".to_owned()));
        assert_eq!(without_restrictions("\\connect shop\n"), Err("\\connect shop".to_owned()));
    }
}
