//! Records with characters that the database's encoding lacks: each is one reject, and costs its batch
//! little.
//!
//! COPY reads text of the client's encoding, and what has no counterpart in that of the database fails the
//! whole of it, whatever `ON_ERROR` says. So the server is asked field by field, of those that are not plain
//! ASCII, which it cannot hold: as bytes, which every database can. Its own conversion judges, not one of
//! ours.

use std::collections::HashSet;
use std::fmt::Write as _;

use bytes::Bytes;

use crate::batch::{Batch, Chunk};
use crate::map::PRESENCE_WORD_BITS;
use crate::pg::{DbError, Session, StatementResult, literal};

use super::sql::names::REFUSED;

/// Fields that are not plain ASCII, as bytes.
const FIELDS: &str = "pg_temp.dbload_fields";

/// Which rows hold a character that the database cannot: they are among the refused then.
pub(super) async fn refuse(session: &Session, batch: &Batch) -> Result<HashSet<u64>, DbError> {
    session
        .run(&format!(
            "DROP TABLE IF EXISTS {FIELDS};\n\
             CREATE TEMPORARY TABLE dbload_fields (s0 bigint, slot int, value pg_catalog.bytea) ON COMMIT DROP"
        ))
        .await?;
    let copy = format!("COPY {FIELDS} (s0, slot, value) FROM STDIN WITH (FORMAT text)");
    let fields = batch.chunks.iter().map(fields).filter(|fields| !fields.is_empty());
    session.copy_in(&copy, fields).await?;
    let outcomes = session
        .run(&format!(
            "{};\nDROP TABLE {FIELDS};\nSELECT pg_catalog.string_agg(s0::pg_catalog.text, ' ') FROM {REFUSED}",
            judge()
        ))
        .await?;
    let refused = outcomes.last().and_then(StatementResult::value).unwrap_or_default();
    Ok(refused.split(' ').filter_map(|seq| seq.parse().ok()).collect())
}

/// The rows of a chunk that have such fields: sequence number, slot, bytes in hex, in the form of COPY.
fn fields(chunk: &Chunk) -> Bytes {
    let mut words: Vec<usize> = chunk.columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect();
    words.dedup();
    let mut out = String::new();
    for n in (0..chunk.rows.len()).filter(|&n| !chunk.row(n).is_ascii()) {
        let seq = chunk.block.first_seq + u64::from(chunk.rows[n].i);
        let values = chunk.row(n).split(|&byte| byte == b'\t' || byte == b'\n').skip(1 + words.len());
        for (slot, value) in chunk.columns.iter().zip(values).filter(|(_, value)| !value.is_ascii()) {
            let _ = write!(out, "{seq}\t{slot}\t\\\\x");
            value.iter().for_each(|byte| _ = write!(out, "{byte:02x}"));
            out.push('\n');
        }
    }
    out.into()
}

fn judge() -> String {
    let text = format!(
        "DECLARE
    dbload_field record;
    dbload_refused bigint;
    dbload_state pg_catalog.text; dbload_message pg_catalog.text;
BEGIN
    FOR dbload_field IN SELECT f.s0, f.slot, f.value FROM {FIELDS} f ORDER BY f.s0, f.slot LOOP
        CONTINUE WHEN dbload_field.s0 OPERATOR(pg_catalog.=) dbload_refused;
        BEGIN
            PERFORM pg_catalog.convert(dbload_field.value, 'UTF8', pg_catalog.getdatabaseencoding());
        EXCEPTION WHEN DATA_EXCEPTION THEN
            GET STACKED DIAGNOSTICS dbload_state = RETURNED_SQLSTATE, dbload_message = MESSAGE_TEXT;
            dbload_refused := dbload_field.s0;
            INSERT INTO {REFUSED} (s0, slot, sqlstate, reason)
            VALUES (dbload_field.s0, dbload_field.slot, dbload_state, dbload_message);
        END;
    END LOOP;
END"
    );
    format!("DO LANGUAGE plpgsql {}", literal(&text))
}
