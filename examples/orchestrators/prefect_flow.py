"""A load by Prefect, in the process of the worker: `python prefect_flow.py`."""

import dbload
from prefect import flow, task


def may_help(task, run, state) -> bool:
    """A retry goes on where the load stopped; what is refused is refused again."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, dbload.Error) and error.resumable


@task(retries=3, retry_delay_seconds=60, retry_condition_fn=may_help)
def load(source: str, table: str, key: str) -> dict:
    report = dbload.load(source, table=table, key=key)
    return dict(report.raw)


@flow
def warehouse(source: str = "../earthquakes.jsonl", table: str = "earthquakes", key: str = "id") -> dict:
    return load(source, table, key)


if __name__ == "__main__":
    warehouse()
