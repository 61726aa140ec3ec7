"""What dbload tells OpenLineage, read by the types of its own client: `scripts/test-integrations openlineage`."""

import http.server
import json
import os
import subprocess
import threading

import attr
import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated import (
    datasource_dataset,
    error_message_run,
    job_type_job,
    lifecycle_state_change_dataset,
    nominal_time_run,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
)

# By the name that a facet has in an event.
TYPES = {
    "dataSource": datasource_dataset.DatasourceDatasetFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "jobType": job_type_job.JobTypeJobFacet,
    "lifecycleStateChange": lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet,
    "nominalTime": nominal_time_run.NominalTimeRunFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
    "schema": schema_dataset.SchemaDatasetFacet,
}
PARENT = "0196f0a1-7c00-7000-8000-000000000001"


@pytest.fixture
def receiver():
    events = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            events.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", events
    server.shutdown()


def facets(content):
    """Each as an object of its type: a field that the type does not have, or lacks, is an error."""
    seen = {}
    for name, facet in content.items():
        fields = {key: value for key, value in facet.items() if not key.startswith("_")}
        if name == "parent":
            run, job = parent_run.Run(**fields["run"]), parent_run.Job(**fields["job"])
            seen[name] = parent_run.ParentRunFacet(run=run, job=job)
        elif name == "schema":
            of = [schema_dataset.SchemaDatasetFacetFields(**field) for field in fields["fields"]]
            seen[name] = schema_dataset.SchemaDatasetFacet(fields=of)
        elif name in TYPES:
            seen[name] = TYPES[name](**fields)
        else:
            # Ours: custom facets have a prefix.
            assert name.startswith("dbload_"), name
            continue
        # The version of the facet is that of the type.
        assert facet["_schemaURL"] == seen[name]._get_schema(), name
    return seen


def read(event):
    """The event as an object of the client's types."""
    run = event_v2.Run(event["run"]["runId"], facets(event["run"]["facets"]))
    job = event_v2.Job(event["job"]["namespace"], event["job"]["name"], facets(event["job"]["facets"]))
    outputs = []
    for output in event["outputs"]:
        of = facets(output.get("facets", {})), facets(output.get("outputFacets", {}))
        outputs.append(
            event_v2.OutputDataset(output["namespace"], output["name"], facets=of[0], outputFacets=of[1])
        )
    inputs = [event_v2.InputDataset(it["namespace"], it["name"]) for it in event["inputs"]]
    whole = event_v2.RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        eventType=event_v2.RunState[event["eventType"]],
        run=run,
        job=job,
        inputs=inputs,
        outputs=outputs,
    )
    assert event["schemaURL"] == whole.schemaURL
    assert set(event) == {field.name for field in attr.fields(event_v2.RunEvent)}
    return whole


def load(receiver, tmp_path, *words, **variables):
    environment = {**os.environ, "OPENLINEAGE_URL": receiver[0], **variables}
    done = subprocess.run(["dbload", *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "OpenLineage" not in done.stderr, done.stderr
    events = [read(event) for event in receiver[1]]
    receiver[1].clear()
    return done.returncode, events


def test_a_load_and_a_failure_are_events_of_the_specification(receiver, tmp_path):
    (tmp_path / "lineage_t.jsonl").write_text('{"id":1}\n{"id":2}\n{"id":\n')
    parent = f"prod/dag.task/{PARENT}"
    command = ["lineage_t.jsonl", "--key", "id", "--restart"]
    code, (start, end) = load(receiver, tmp_path, *command, OPENLINEAGE_PARENT_ID=parent)
    assert code == 3
    assert (start.eventType, end.eventType) == (event_v2.RunState.START, event_v2.RunState.COMPLETE)
    assert start.run.runId == end.run.runId and end.run.facets["parent"].run.runId == PARENT
    assert [field.name for field in end.outputs[0].facets["schema"].fields] == ["id"]
    assert isinstance(end.outputs[0].outputFacets["outputStatistics"], facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet)
    code, (start, end) = load(receiver, tmp_path, "no-such.jsonl", "--key", "id", "-t", "lineage_t")
    assert code != 0 and end.eventType == event_v2.RunState.FAIL
    assert end.run.facets["errorMessage"].message.startswith("exit code ")


def test_a_window_is_the_nominal_time(receiver, tmp_path):
    (tmp_path / "dbload.toml").write_text(
        'name = "lineage"\n[load.w]\nsource = "{window.start:%Y-%m-%d}.jsonl"\nkey = ["id"]\ntable = "lineage_w"\n'
        'window = { every = "1d", begin = "2026-01-01" }\n'
    )
    (tmp_path / "2026-01-01.jsonl").write_text('{"id":1}\n')
    code, (start, _) = load(receiver, tmp_path, "run", "--now", "2026-01-02T05:00:00Z")
    assert code == 0
    assert start.run.facets["nominalTime"].nominalStartTime.startswith("2026-01-01T")
