"""A job file of dbload by Airflow: a task for each of its loads, and what came of it as XCom.

Copy into the folder of DAGs, beside dbload.toml. The connection string is the variable DATABASE_URL of the worker,
or a connection of Airflow, as here."""

import datetime
import json
import pathlib
import subprocess

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

JOB = pathlib.Path(__file__).with_name("dbload.toml")

with DAG(
    dag_id="warehouse",
    schedule="0 3 * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": datetime.timedelta(minutes=5)},
) as dag:
    manifest = json.loads(
        subprocess.run(
            ["dbload", "list", str(JOB), "--json"], check=True, capture_output=True, text=True
        ).stdout
    )
    tasks = {}
    for load in manifest["loads"]:
        tasks[load["load"]] = BashOperator(
            task_id=load["load"],
            # Its last line is the whole run as JSON: that is the XCom.
            bash_command=f"exec dbload run {JOB} --load {load['load']} --json --if-running skip --skip-exit-code 99",
            # All that was asked for is left to another process: skipped, and not failed.
            skip_on_exit_code=99,
            # In the environment, and in no argument; append_env keeps PATH.
            env={"DATABASE_URL": "{{ conn.warehouse.get_uri() }}"},
            append_env=True,
            execution_timeout=datetime.timedelta(hours=2),
        )
    for load in manifest["loads"]:
        for before in load["after"]:
            tasks[before] >> tasks[load["load"]]
