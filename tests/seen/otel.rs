//! Telemetry: what arrives is decoded by the types that OpenTelemetry publishes; and nothing of a receiver
//! that does not work is seen in a load.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message as _;

use super::numbers;
use super::receivers::{self, Broken};
use crate::support::api::{Api, Ask, Reply};
use crate::support::{Dbload, Scene};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn told(dbload: Dbload, api: &Api) -> Dbload {
    dbload.env("OTEL_EXPORTER_OTLP_ENDPOINT", api.url("/otlp/"))
}

fn attribute(of: &[KeyValue], key: &str) -> Option<String> {
    let found = of.iter().find(|pair| pair.key == key)?;
    let Some(AnyValue { value: Some(value) }) = &found.value else { return None };
    Some(match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    })
}

#[track_caller]
fn sum(spans: &[Span], key: &str) -> u64 {
    let of = |span: &Span| attribute(&span.attributes, key)?.parse::<u64>().ok();
    spans.iter().filter_map(of).sum()
}

/// Spans that came, and the resource that they are of.
fn spans(asked: &[Ask]) -> (Vec<Span>, Vec<KeyValue>) {
    let (mut spans, mut resource) = (Vec::new(), Vec::new());
    for ask in asked.iter().filter(|ask| ask.path == "/otlp/v1/traces") {
        assert_eq!(ask.header("content-type"), Some("application/x-protobuf"));
        for of_resource in ExportTraceServiceRequest::decode(ask.bytes.clone()).unwrap().resource_spans {
            resource = of_resource.resource.unwrap().attributes;
            for scoped in of_resource.scope_spans {
                assert_eq!(scoped.scope.unwrap().name, "dbload");
                spans.extend(scoped.spans);
            }
        }
    }
    (spans, resource)
}

/// The metrics of the last message: they are cumulative.
fn metrics(asked: &[Ask]) -> Vec<Metric> {
    let ask = asked.iter().rfind(|ask| ask.path == "/otlp/v1/metrics").expect("metrics");
    let all = ExportMetricsServiceRequest::decode(ask.bytes.clone()).unwrap().resource_metrics;
    all.into_iter().flat_map(|of| of.scope_metrics).flat_map(|scoped| scoped.metrics).collect()
}

#[test]
fn a_load_is_a_span_with_its_sources_and_batches_in_the_trace_of_who_has_started_it() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::new(200, "application/x-protobuf", "")));
    numbers(&scene, 5_000);
    let load = told(scene.dbload("t.jsonl --key id --batch-rows 500 --pool-size 2"), &api)
        .env("TRACEPARENT", PARENT)
        .env("TRACESTATE", "a=b")
        .env("OTEL_SERVICE_NAME", "night")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s%20t");
    let outcome = load.run().exits(3);
    assert!(!outcome.stderr.contains("OpenTelemetry"), "{outcome}");
    let asked = api.asked();
    assert!(asked.iter().all(|ask| ask.header("x-key") == Some("s t")));
    assert!(asked.iter().all(|ask| !ask.body.contains("canary")), "no value of a record");
    let (spans, resource) = spans(&asked);
    assert_eq!(attribute(&resource, "service.name").as_deref(), Some("night"));
    assert_eq!(attribute(&resource, "deployment.environment.name").as_deref(), Some("prod"));
    let named = |name: &str| spans.iter().filter(|span| span.name == name).cloned().collect::<Vec<_>>();
    let [load] = &named("load")[..] else { panic!("{spans:?}") };
    assert!(spans.iter().all(|span| span.trace_id == load.trace_id && span.trace_id[0] == 0x0a));
    assert_eq!((load.parent_span_id[7], load.trace_state.as_str()), (0x31, "a=b"));
    let [source] = &named("source")[..] else { panic!("{spans:?}") };
    assert_eq!((sum(std::slice::from_ref(source), "dbload.records"), source.kind), (5_000, 1));
    let batches: Vec<Span> =
        spans.iter().filter(|span| span.kind == SpanKind::Client as i32).cloned().collect();
    assert_eq!(sum(&batches, "db.operation.batch.size"), 5_000);
    for span in batches.iter().chain([source]) {
        assert_eq!(span.parent_span_id, load.span_id);
        let inside = load.start_time_unix_nano <= span.start_time_unix_nano
            && span.start_time_unix_nano <= span.end_time_unix_nano
            && span.end_time_unix_nano <= load.end_time_unix_nano;
        assert!(inside, "{span:?} in {load:?}");
    }
    let of_batch = |key: &str| attribute(&batches[0].attributes, key).unwrap();
    assert_eq!(
        (of_batch("db.system.name").as_str(), of_batch("db.collection.name").as_str()),
        ("postgresql", "public.t")
    );
    assert_eq!(of_batch("db.namespace"), scene.db.one("SELECT current_database()"));
    let stored: u64 = scene.db.one("SELECT count(*) FROM t").parse().unwrap();
    let of_load = |key: &str| attribute(&load.attributes, key).unwrap();
    assert_eq!(
        (of_load("dbload.inserted"), of_load("dbload.rejected")),
        (stored.to_string(), "500".to_owned())
    );
    assert_eq!(
        (of_load("dbload.run"), of_load("dbload.outcome")),
        (outcome.report().run, "rejects".to_owned())
    );
    assert!(load.status.is_none());
}

#[test]
fn statements_are_measured_as_the_convention_has_them() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::new(200, "application/x-protobuf", "")));
    numbers(&scene, 3_000);
    let outcome = told(scene.dbload("t.jsonl --key id --batch-rows 300 --pool-size 2"), &api).run().exits(3);
    let metrics = metrics(&api.asked());
    let named = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
    let duration = named("db.client.operation.duration");
    let Some(Data::Histogram(histogram)) = &duration.data else { panic!("{duration:?}") };
    assert_eq!(duration.unit, "s");
    assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
    let committed = outcome.report().pool.batches;
    for point in &histogram.data_points {
        assert_eq!(point.explicit_bounds, [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert!(point.start_time_unix_nano < point.time_unix_nano);
        let of = |key: &str| attribute(&point.attributes, key).unwrap();
        assert_eq!(
            (of("db.system.name"), of("db.collection.name")),
            ("postgresql".to_owned(), "public.t".to_owned())
        );
        if of("db.operation.name") == "COMMIT" {
            assert_eq!(point.count, committed);
        }
    }
    let operations: Vec<_> = histogram
        .data_points
        .iter()
        .filter_map(|point| attribute(&point.attributes, "db.operation.name"))
        .collect();
    assert!(
        ["COPY", "COMMIT"].iter().all(|name| operations.iter().any(|other| other == name)),
        "{operations:?}"
    );
    let Some(Data::Sum(records)) = &named("dbload.records").data else { panic!("{metrics:?}") };
    assert!(records.is_monotonic);
    let of = |outcome: &str| {
        let is_it = |key: &Vec<KeyValue>| attribute(key, "dbload.outcome").as_deref() == Some(outcome);
        let point = records.data_points.iter().find(|point| is_it(&point.attributes)).unwrap();
        let Some(number_data_point::Value::AsInt(count)) = point.value else { panic!("{point:?}") };
        count
    };
    assert_eq!((of("inserted"), of("rejected")), (i64::try_from(scene.db.count("t")).unwrap(), 300));
}

#[test]
fn a_failure_is_in_error_without_a_word_of_the_server_and_who_is_not_sampled_tells_no_spans() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::new(200, "application/x-protobuf", "")));
    scene.sql("CREATE VIEW t AS SELECT 1 AS canary");
    scene.file("t.jsonl", "{\"id\":1}\n");
    told(scene.dbload("t.jsonl --key id"), &api).run().exits(6);
    let asked = api.asked();
    let (failed, _) = spans(&asked);
    let [load] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(load.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32));
    assert_eq!(attribute(&load.attributes, "error.type").as_deref(), Some("refused"));
    assert!(asked.iter().all(|ask| !ask.body.contains("canary")));
    // Who has started it does not keep the trace.
    scene.sql("DROP VIEW t");
    let unsampled = PARENT.replace("-01", "-00");
    told(scene.dbload("t.jsonl --key id"), &api).env("TRACEPARENT", unsampled).run().exits(0);
    let asked = api.asked();
    assert!(spans(&asked).0.is_empty() && !metrics(&asked).is_empty());
}

#[test]
fn nobody_is_told_without_an_endpoint_and_other_protocols_are_said_to_be_none_of_ours() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::new(200, "text/plain", "")));
    scene.file("t.jsonl", "{\"id\":1}\n");
    let quiet = |dbload: Dbload| {
        let outcome = dbload.run().exits(0);
        assert_eq!(api.requests(), 0);
        outcome
    };
    quiet(scene.dbload("t.jsonl --key id").env("OTEL_SERVICE_NAME", "x").env("TRACEPARENT", PARENT));
    quiet(told(scene.dbload("t.jsonl --key id --again"), &api).env("OTEL_SDK_DISABLED", "true"));
    let refused =
        told(scene.dbload("t.jsonl --key id --again"), &api).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    quiet(refused).says("OpenTelemetry is not told: OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf");
}

#[test]
fn loads_of_a_job_file_are_spans_of_one_trace_and_add_up_in_one_metric() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::new(200, "application/x-protobuf", "")));
    let mut file = "name = \"x\"\n".to_owned();
    for n in 0..3 {
        file.push_str(&format!("[load.t{n}]\nsource = \"{n}.jsonl\"\nkey = [\"id\"]\n"));
        scene.file(&format!("{n}.jsonl"), "{\"id\":1}\n{\"id\":2}\n");
    }
    scene.file("dbload.toml", file);
    told(scene.plain("run"), &api).run().exits(0);
    let asked = api.asked();
    let (spans, _) = spans(&asked);
    let loads: Vec<Span> = spans.iter().filter(|span| span.name == "load").cloned().collect();
    let mut names: Vec<String> =
        loads.iter().map(|span| attribute(&span.attributes, "dbload.load").unwrap()).collect();
    names.sort();
    assert_eq!(names, ["x/t0", "x/t1", "x/t2"]);
    assert!(spans.iter().all(|span| span.trace_id == loads[0].trace_id));
    assert_eq!(sum(&loads, "dbload.inserted"), 6);
    let metrics = metrics(&asked);
    let Some(Data::Sum(records)) = &metrics[1].data else { panic!("{metrics:?}") };
    assert_eq!(records.data_points.len(), 3 * 7, "a point for each table and fate");
}

#[test]
fn a_receiver_that_is_down_or_silent_or_talks_nonsense_changes_no_load() {
    for broken in Broken::ALL {
        let receiver = receivers::serve(broken);
        let scene = Scene::new();
        numbers(&scene, 2_000);
        let load = scene.dbload("t.jsonl --key id --batch-rows 10 --pool-size 1");
        let run = load.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url("/canary")).run().exits(3);
        let run = run
            .says("OpenTelemetry traces: ")
            .says("messages were not taken")
            .says("OpenTelemetry metrics: 1 of 1 messages were not taken");
        assert!(
            run.elapsed < Duration::from_secs(60) && !run.stderr.contains("canary "),
            "{broken:?}: {run}"
        );
        assert!(!run.stderr.contains("/canary"), "{run}");
        assert_eq!(scene.db.count("t"), 1_800);
    }
}
