"""The examples, checked as far as that goes without their services: `scripts/test-integrations orchestrators`."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)


def tool(name):
    return pathlib.Path(sys.executable).with_name(name)


def test_units_of_systemd(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    for unit in (HERE / "systemd").iterdir():
        text = unit.read_text().replace("/usr/bin/dbload", shutil.which("dbload"))
        (tmp_path / unit.name).write_text(text)
    said = run("systemd-analyze", "verify", *tmp_path.iterdir())
    assert said.returncode == 0 and "dbload" not in said.stderr, said
    calendar = re.search(r"OnCalendar=(.*)", (HERE / "systemd/dbload-warehouse.timer").read_text())[1]
    assert run("systemd-analyze", "calendar", calendar).returncode == 0


def test_the_cronjob_of_kubernetes():
    said = run(tool("kubernetes-validate"), HERE / "kubernetes/cronjob.yaml")
    assert said.returncode == 0, said
    # Codes behind which the same command goes on are tried again, the others fail the job. 1, an unexpected end, and
    # 3, which is complete, are of neither kind.
    text = (HERE / "kubernetes/cronjob.yaml").read_text()
    values = {int(code) for code in re.search(r"values: \[(.*)\]", text)[1].split(",")}
    table = run("dbload", "--help").stdout.split("Exit codes:")[1]
    entries = re.findall(r"^ *(\d+)(?:, (\d+))? (.*(?:\n {7}.*)*)", table, re.M)
    goes_on = {int(code) for code, _, words in entries if "(resumes)" in " ".join(words.split())}
    assert goes_on == {4, 5, 7, 130} and not values & goes_on
    assert values == {2, 6, 8, 9}


def test_the_workflow_of_github():
    said = run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", HERE / "github-workflow.yml")
    assert said.returncode == 0, said


def test_the_commands_of_the_crontab(tmp_path):
    shutil.copytree(HERE.parent, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "examples/orchestrators"
    lines = [line for line in (HERE / "crontab").read_text().splitlines() if re.match(r"[\d*]", line)]
    commands = [line.split(None, 5)[5].replace("cd /srv/warehouse", f"cd {folder}") for line in lines]
    load, status = (run("sh", "-c", command) for command in commands)
    # Nothing is mailed where all went well.
    assert load.returncode == 0 and load.stdout == "", load
    assert status.returncode == 0 and status.stdout == "", status
    broken = run("sh", "-c", commands[0], env={**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/x"})
    assert broken.returncode == 5 and "error: " in broken.stderr, broken


def test_kestra_gets_the_last_line_as_outputs(tmp_path):
    text = (HERE / "kestra.yaml").read_text()
    (line,) = re.findall(r"- (tail -n 1 .*)", text)
    if not shutil.which("jq"):
        pytest.skip("no jq")
    done = run("sh", "-c", f"dbload run {HERE}/dbload.toml --json | tee report.jsonl", cwd=tmp_path)
    said = run("sh", "-c", line, cwd=tmp_path).stdout.strip()
    assert said.startswith('::{"outputs":') and said.endswith("::"), (said, done)
    assert json.loads(said[2:-2])["outputs"]["loads"]["earthquakes"] in ("rejected", "nothing_new")


def test_prefect():
    pytest.importorskip("prefect")
    import prefect_flow

    os.chdir(HERE)
    assert prefect_flow.warehouse()["rows"]["read"] == 1751


def test_the_dag_of_airflow(tmp_path, monkeypatch):
    pytest.importorskip("airflow")
    monkeypatch.setenv("PATH", f"{pathlib.Path(shutil.which('dbload')).parent}:{os.environ['PATH']}")
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException

    import airflow_dag

    tasks = airflow_dag.dag.task_dict
    assert set(tasks) == {"earthquakes", "weather"}
    assert tasks["weather"].upstream_task_ids == {"earthquakes"}
    task = tasks["earthquakes"]
    monkeypatch.setattr(task, "env", {"DATABASE_URL": os.environ["DATABASE_URL"]})
    # XCom is the last line, which is the whole run.
    assert json.loads(task.execute({}))["loads"]["earthquakes"] in ("rejected", "nothing_new")
    monkeypatch.setattr(task, "bash_command", "exit 99")
    with pytest.raises(AirflowSkipException):
        task.execute({})
    monkeypatch.setattr(task, "bash_command", task.bash_command.replace("99", "4"))
    with pytest.raises(AirflowException):
        task.execute({})
