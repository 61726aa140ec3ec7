//! What the server is asked of records, judged before anything is made.

use std::sync::Arc;

use crate::job::Job;
use crate::map::{AskedExpressions, Judgement};
use crate::pg::expressions::{ExpressionMisfit, Judged, Phrase, RecordColumn, judge};
use crate::pg::{Lease, Session};
use crate::plan::{Refusal, refuse_expression};
use crate::prepared::{Act, LoadError};

/// The expressions of a load, as the server understands them.
pub(super) async fn judged(
    job: &Job,
    act: Act,
    pool: &Lease,
    session: &Session,
) -> Result<Option<Arc<AskedExpressions>>, LoadError> {
    let Some(asked) = AskedExpressions::of(&job.reading.shaping) else { return Ok(None) };
    if act == Act::Verify && pool.max_size() == 1 {
        return Err(Refusal::new(
            "to compare takes one connection, and to ask about records another",
            "say --pool-size 2",
        )
        .into());
    }
    let columns = asked
        .columns
        .iter()
        .map(|column| RecordColumn { name: column.quoted(), is_boolean: column.is_presence });
    let phrases = asked
        .expressions
        .iter()
        .map(|expression| Phrase { sql: &expression.sql, is_condition: expression.is_condition() });
    let (columns, phrases): (Vec<_>, Vec<_>) = (columns.collect(), phrases.collect());
    let judged = judge(session, &columns, &phrases).await.map_err(|misfit| {
        refuse_expression(&asked, &misfit).map_or_else(|| unasked(misfit), LoadError::from)
    })?;
    let judgement = |Judged { names, type_name }: Judged| Judgement { names, type_name };
    let judgements: Vec<_> = judged.into_iter().map(judgement).collect();
    Ok(Some(Arc::new(asked.judged(&judgements))))
}

fn unasked(misfit: ExpressionMisfit) -> LoadError {
    match misfit {
        ExpressionMisfit::Catalog(error) => error.into(),
        // Each of these has a refusal.
        ExpressionMisfit::Refused { .. } | ExpressionMisfit::Changing { .. } => {
            crate::pg::catalog::CatalogError::Answer.into()
        }
    }
}
