//! The command line: parsing, words for people, exit codes. Never decodes a record, never writes SQL.

pub(crate) mod local;
