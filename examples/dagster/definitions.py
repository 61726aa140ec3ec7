"""The loads of dbload.toml as assets of Dagster: `dagster dev -f definitions.py`, with DATABASE_URL set.

Each asset is a step of its own: Dagster starts one process for each, side by side, and `dbload run` finds the load
by the key of the asset. What it came to is in the metadata of the materialisation."""

import pathlib

import dagster as dg

JOB = pathlib.Path(__file__).with_name("dbload.toml")
DAILY = dg.DailyPartitionsDefinition(start_date="2026-01-01", timezone="Europe/Berlin")


def asset_of(key, *, deps=(), partitions=None):
    @dg.asset(
        key=dg.AssetKey(key),
        deps=[dg.AssetKey(dep) for dep in deps],
        partitions_def=partitions,
        kinds={"postgres"},
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
        check_specs=[dg.AssetCheckSpec("rejects_within_budget", asset=dg.AssetKey(key))],
    )
    def loaded(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        return pipes.run(
            command=["dbload", "run", str(JOB), "--quiet"],
            context=context,
            extras={"dbload": {"checks": True}},
        ).get_results(implicit_materializations=False)

    return loaded


earthquakes = asset_of(["earthquakes"])
stations = asset_of(["reference", "stations"])
readings = asset_of(["readings"], deps=[["reference", "stations"]], partitions=DAILY)

defs = dg.Definitions(
    assets=[earthquakes, stations, readings],
    resources={"pipes": dg.PipesSubprocessClient()},
)
