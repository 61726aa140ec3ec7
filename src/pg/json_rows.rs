//! The rows of somebody's question, as JSON objects: names and values as PostgreSQL writes them.

use super::db_error::DbError;
use super::session::Session;

/// Asks in a transaction that only reads; at most so many rows come.
///
/// # Errors
/// When the question is none that the server answers.
pub async fn json_rows(session: &Session, question: &str, most: usize) -> Result<Vec<String>, DbError> {
    // Whatever stands at its end, a comment too, is behind a line of its own.
    let question = question.trim().trim_end_matches(';');
    let sql = format!(
        "BEGIN READ ONLY;\nSELECT pg_catalog.row_to_json(asked)::pg_catalog.text FROM (\n{question}\n) asked LIMIT {most};\nCOMMIT"
    );
    let mut rows = Vec::new();
    session.each_row(&sql, &mut |values| rows.extend(values.into_iter().flatten())).await?;
    Ok(rows)
}
