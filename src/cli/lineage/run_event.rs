//! The events, as the specification (2-0-2) has them. Pure: from facts to JSON.

use dbload::internals::account::Books;
use dbload::internals::event::BegunPlan;
use dbload::internals::report::TableColumn;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::names::DatasetName;
use super::settings::NominalTime;

/// Who says it: this program, in this version.
const PRODUCER: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/tree/v", env!("CARGO_PKG_VERSION"));

/// The facet that is ours.
const OUR_FACET: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/v",
    env!("CARGO_PKG_VERSION"),
    "/docs/lineage-facet.schema.json"
);

/// What is known of an attempt, more and more of it.
pub(super) struct RunFacts {
    pub(super) run_id: Uuid,
    pub(super) namespace: String,
    pub(super) job: String,
    pub(super) parent: Option<Value>,
    pub(super) nominal: Option<NominalTime>,
    /// Once there is one.
    pub(super) plan: Option<BegunPlan>,
    /// The table, once it is known.
    pub(super) table: Option<DatasetName>,
    pub(super) inputs: Vec<DatasetName>,
    pub(super) has_created: bool,
}

/// How an attempt has ended.
pub(super) struct LineageEnd<'a> {
    pub(super) kind: EndKind,
    /// Why, in words without a value: only where it is a failure.
    pub(super) why: Option<String>,
    /// What this attempt has made of its records.
    pub(super) books: Option<Books>,
    pub(super) columns: &'a [TableColumn],
}

/// The three ends that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndKind {
    Complete,
    Fail,
    Abort,
}

impl EndKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// The attempt begins.
pub(super) fn start(facts: &RunFacts, at: Timestamp) -> Value {
    event("START", facts, at, None)
}

/// It has ended.
pub(super) fn end(facts: &RunFacts, at: Timestamp, end: &LineageEnd<'_>) -> Value {
    event(end.kind.name(), facts, at, Some(end))
}

fn event(kind: &str, facts: &RunFacts, at: Timestamp, end: Option<&LineageEnd<'_>>) -> Value {
    let inputs: Vec<Value> =
        facts.inputs.iter().map(|it| json!({"namespace": it.namespace, "name": it.name})).collect();
    json!({
        "eventType": kind,
        "eventTime": at.to_string(),
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": facts.run_id.to_string(), "facets": run_facets(facts, end)},
        "job": {"namespace": facts.namespace, "name": facts.job, "facets": job_facets()},
        "inputs": inputs,
        "outputs": facts.table.as_ref().map_or_else(Vec::new, |table| vec![output(facts, table, end)]),
    })
}

fn run_facets(facts: &RunFacts, end: Option<&LineageEnd<'_>>) -> Value {
    let mut facets = Map::new();
    let mut put = |name: &str, facet: Value| _ = facets.insert(name.to_owned(), facet);
    let version = env!("CARGO_PKG_VERSION");
    put(
        "processing_engine",
        standard("1-1-1/ProcessingEngineRunFacet", json!({"name": "dbload", "version": version})),
    );
    if let Some(parent) = &facts.parent {
        put("parent", standard("1-2-0/ParentRunFacet", parent.clone()));
    }
    if let Some(time) = &facts.nominal {
        let time = json!({"nominalStartTime": time.starts_at, "nominalEndTime": time.ends_at});
        put("nominalTime", standard("1-0-1/NominalTimeRunFacet", time));
    }
    if let Some(why) = end.and_then(|end| end.why.as_deref()) {
        let error = json!({"message": why, "programmingLanguage": "RUST"});
        put("errorMessage", standard("1-0-1/ErrorMessageRunFacet", error));
    }
    if let Some(plan) = &facts.plan {
        let mut ours = json!({"run": plan.run, "attempt": plan.attempt, "mode": plan.mode});
        if let Some(books) = end.and_then(|end| end.books) {
            ours["rows"] = json!(books);
        }
        put("dbload_run", facet(OUR_FACET, ours));
    }
    Value::Object(facets)
}

fn job_facets() -> Value {
    let kind = json!({"processingType": "BATCH", "integration": "DBLOAD", "jobType": "JOB"});
    json!({"jobType": standard("2-0-4/JobTypeJobFacet", kind)})
}

fn output(facts: &RunFacts, table: &DatasetName, end: Option<&LineageEnd<'_>>) -> Value {
    let DatasetName { namespace, name } = table;
    let source = json!({"name": namespace, "uri": namespace});
    let mut facets = json!({"dataSource": standard("1-0-1/DatasourceDatasetFacet", source)});
    if facts.has_created {
        let change = json!({"lifecycleStateChange": "CREATE"});
        facets["lifecycleStateChange"] = standard("1-0-1/LifecycleStateChangeDatasetFacet", change);
    }
    let Some(end) = end else { return json!({"namespace": namespace, "name": name, "facets": facets}) };
    if !end.columns.is_empty() {
        let field = |column: &TableColumn| json!({"name": column.name, "type": column.type_name});
        let fields: Vec<Value> = end.columns.iter().map(field).collect();
        facets["schema"] = standard("1-2-0/SchemaDatasetFacet", json!({"fields": fields}));
    }
    let mut statistics = json!({});
    if let Some(books) = end.books {
        let rows = json!({"rowCount": books.inserted + books.updated});
        statistics["outputStatistics"] = standard("1-0-2/OutputStatisticsOutputDatasetFacet", rows);
    }
    json!({"namespace": namespace, "name": name, "facets": facets, "outputFacets": statistics})
}

/// A facet of the specification: its version and name.
fn standard(of: &str, content: Value) -> Value {
    let name = of.split('/').next_back().unwrap_or_default();
    facet(&format!("https://openlineage.io/spec/facets/{of}.json#/$defs/{name}"), content)
}

fn facet(schema: &str, mut content: Value) -> Value {
    content["_producer"] = PRODUCER.into();
    content["_schemaURL"] = schema.into();
    content
}
