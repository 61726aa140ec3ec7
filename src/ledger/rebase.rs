//! Another content for a source of an unfinished run: its places are stored anew, all of them or none.

use crate::pg::sqlstate::is_division_by_zero;
use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::read::failed;
use super::run::{Checkpoint, StoredSource};
use crate::record::Place;

/// Stores where a run goes on in sources whose content the user has accepted, and what they are now. Under
/// this owner's epoch, or not at all.
pub async fn rebase(
    session: &Session,
    run: &str,
    epoch: u64,
    sources: &[(u32, StoredSource)],
    partitions: &[(usize, Checkpoint)],
) -> Result<(), LedgerError> {
    let id = literal(run);
    let mut sql = format!(
        "BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\nSELECT 1 / pg_catalog.count(*) FROM (SELECT FROM _dbload.run WHERE run = {id} AND epoch = {epoch} \
         AND state = 'running' FOR UPDATE) ours"
    );
    let place = |at: &Option<Place>| at.as_ref().map_or("NULL".to_owned(), |at| literal(&at.to_json()));
    for (ordinal, source) in sources {
        sql.push_str(&format!(
            ";\nUPDATE _dbload.source SET description = {}, begin_at = {}, set_aside = {} WHERE run = {id} AND source = {ordinal}",
            literal(&source.description.to_string()),
            place(&source.begin_at),
            place(&source.set_aside),
        ));
    }
    for (partition, Checkpoint { at, page, .. }) in partitions {
        sql.push_str(&format!(
            ";\nUPDATE _dbload.checkpoint SET byte_offset = {}, line = {}, page = {}, digest_from = NULL, digest_to = NULL, \
             digest = NULL WHERE run = {id} AND partition = {partition} AND epoch = {epoch}",
            at.offset,
            at.line,
            page.as_deref().map_or("NULL".to_owned(), literal),
        ));
    }
    sql.push_str(";\nCOMMIT");
    match session.begin(&sql).await {
        Ok(_) => {
            session.transaction_ended();
            Ok(())
        }
        Err(error) => {
            session.roll_back().await;
            // Divided by the number of runs that are ours.
            if is_division_by_zero(&error) {
                return Err(LedgerError::Fenced);
            }
            Err(failed("go on with another content")(error))
        }
    }
}
