//! What a build of dbload may lack: each part that brings crates of its own is a feature of Cargo.
//!
//! A part that is missing is refused by its name, where a source, an option or a server first asks for it.
//! What stands in for it (`absent.rs` in its room) is never reached.

/// A feature of Cargo, and whether this build has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    name: &'static str,
    hint: &'static str,
    is_there: bool,
}

macro_rules! feature {
    ($name:literal) => {
        Feature {
            name: $name,
            hint: concat!("build it with `--features ", $name, "`; the default features have it"),
            is_there: cfg!(feature = $name),
        }
    };
}

/// Reads members of archives.
pub const ARCHIVES: Feature = feature!("archives");
/// Reads Avro.
pub const AVRO: Feature = feature!("avro");
/// Decompresses gzip, zstd, bzip2 and xz.
pub const COMPRESSION: Feature = feature!("compression");
/// Reads delimiter-separated values (CSV and TSV).
pub const CSV: Feature = feature!("csv");
/// Text in other encodings than UTF-8.
pub const ENCODINGS: Feature = feature!("encodings");
/// Reads workbooks.
pub const EXCEL: Feature = feature!("excel");
/// Sources from the network.
pub const HTTP: Feature = feature!("http");
/// Tables of servers of MySQL and MariaDB.
pub const MYSQL: Feature = feature!("mysql");
/// Spans and metrics for whoever listens.
pub const OTEL: Feature = feature!("otel");
/// Reads Parquet and Arrow.
pub const PARQUET: Feature = feature!("parquet");
/// The ledger: runs that are resumed.
pub const LEDGER: Feature = feature!("ledger");
/// Objects in stores.
pub const OBJECT_STORE: Feature = feature!("object-store");
/// Tables of files of SQLite.
pub const SQLITE: Feature = feature!("sqlite");
/// Reads XML.
pub const XML: Feature = feature!("xml");
/// Encrypted connections to the database.
pub const TLS: Feature = feature!("tls");

/// Something that this build cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} needs the feature `{}`, which this build of dbload lacks", .feature.name)]
pub struct Missing {
    what: String,
    feature: Feature,
}

impl Feature {
    /// Whether this build has it.
    #[must_use]
    pub const fn is_there(self) -> bool {
        self.is_there
    }

    /// Refuses what needs it, in a build without it.
    ///
    /// # Errors
    /// When this build lacks it.
    pub fn needed_for(self, what: impl FnOnce() -> String) -> Result<(), Missing> {
        if self.is_there { Ok(()) } else { Err(Missing { what: what(), feature: self }) }
    }
}

impl Missing {
    /// What can be done about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.feature.hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_lacks_is_refused_by_its_name() {
        let lacking = Feature { is_there: false, ..CSV };
        let missing = lacking.needed_for(|| "a.csv".to_owned()).unwrap_err();
        assert_eq!(missing.to_string(), "a.csv needs the feature `csv`, which this build of dbload lacks");
        assert!(missing.hint().contains("--features csv"));
        let there = Feature { is_there: true, ..CSV };
        assert_eq!(there.needed_for(|| unreachable!("nobody asks")), Ok(()));
    }
}
