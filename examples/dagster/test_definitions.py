"""The example, by the real Dagster: `scripts/test-integrations dagster`."""

import os
import pathlib
import signal
import threading
import time

import dagster as dg
import psycopg
import pytest

import definitions

RESOURCES = {"pipes": dg.PipesSubprocessClient()}


@pytest.fixture
def db():
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS _dbload CASCADE")
        for table in ("earthquakes", "stations", "readings", "big"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        yield connection


def one(db, sql):
    return db.execute(sql).fetchone()[0]


def metadata(result, key):
    (event,) = result.asset_materializations_for_node(key)
    return {name: value.value for name, value in event.metadata.items()}


def test_the_assets_of_a_job_file_are_materialised_with_their_books(db):
    result = dg.materialize([definitions.earthquakes, definitions.stations], resources=RESOURCES)
    assert result.success
    said = metadata(result, "earthquakes")
    assert said["dagster/table_name"] == "public.earthquakes"
    assert said["dbload/read"] == 1751 and said["dbload/rejected"] == 4
    assert said["dbload/inserted"] == one(db, "SELECT count(*) FROM earthquakes")
    columns = {column.name: column for column in said["dagster/column_schema"].columns}
    assert columns["id"].type == "text" and not columns["id"].constraints.nullable
    assert said["dagster/uri"].startswith("postgres://")
    # Rejects within the budget are a warning, and no failure.
    checks = {check.asset_key.to_user_string(): check for check in result.get_asset_check_evaluations()}
    assert checks["earthquakes"].passed and checks["earthquakes"].metadata["dbload/rejected"].value == 4
    assert metadata(result, "reference__stations")["dbload/inserted"] == 2
    assert not db.execute("SELECT to_regclass('readings')").fetchone()[0], "only what was asked for is loaded"


def test_a_partition_is_a_window(db):
    assets = [definitions.stations, definitions.readings]
    for day, rows in (("2026-01-02", 1), ("2026-01-01", 2)):
        result = dg.materialize(
            assets, selection=[definitions.readings], resources=RESOURCES, partition_key=day
        )
        assert result.success
        assert metadata(result, "readings")["dagster/partition_row_count"] == rows
    assert one(db, "SELECT count(*) FROM readings") == 3
    missing = dg.materialize(
        assets, selection=[definitions.readings], resources=RESOURCES, partition_key="2026-01-03",
        raise_on_error=False,
    )
    assert not missing.success


def asset_of_job(tmp_path, text, key="big", partitions=None):
    job = tmp_path / "dbload.toml"
    job.write_text(f'name = "j"\n{text}')

    @dg.asset(key=dg.AssetKey(key), partitions_def=partitions)
    def loaded(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        return pipes.run(command=["dbload", "run", str(job), "-q"], context=context).get_results(
            implicit_materializations=False
        )

    return loaded


def failure(loaded, **more):
    """What the events of a failed run say of the process: its last words, when it closed."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([loaded], resources=RESOURCES, instance=instance, raise_on_error=False, **more)
        assert not result.success
        data = [entry.dagster_event.event_specific_data for entry in instance.all_logs(result.run_id)
                if entry.dagster_event and entry.dagster_event.event_type_value == "ENGINE_EVENT"]
        return "\n".join(one.error.message for one in data if getattr(one, "error", None))


def test_a_failed_load_fails_its_asset_with_reason_and_hint(db, tmp_path):
    said = failure(asset_of_job(tmp_path, '[load.big]\nsource = "nowhere.csv"\nkey = ["id"]\n'))
    assert "nowhere.csv" in said
    (tmp_path / "a.csv").write_text("id,nme\n1,a\n")
    db.execute("CREATE TABLE big (id int PRIMARY KEY, name text)")
    said = failure(asset_of_job(tmp_path, '[load.big]\nsource = "a.csv"\n'))
    assert "nme" in said and "hint: " in said
    # An asset that is none of the file's, and a partition by time of a load without windows.
    failure(asset_of_job(tmp_path, '[load.big]\nsource = "a.csv"\n', key="other"))
    daily = dg.DailyPartitionsDefinition(start_date="2026-01-01")
    text = '[load.big]\nsource = "a.csv"\nextra = "ignore"\n'
    failure(asset_of_job(tmp_path, text, partitions=daily), partition_key="2026-01-01")


def test_killed_in_mid_load_a_retry_goes_on(db, tmp_path):
    rows = 300_000
    (tmp_path / "big.csv").write_text("id,name\n" + "".join(f"{at},n{at}\n" for at in range(rows)))
    db.execute("CREATE TABLE big (id int PRIMARY KEY, name text)")
    text = '[target]\npool_size = 2\n[load.big]\nsource = "big.csv"\nbatch_rows = 500\n'
    killed = []

    def kill():
        give_up = time.monotonic() + 60
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            while one(connection, "SELECT count(*) FROM big") < 5_000 and time.monotonic() < give_up:
                time.sleep(0.01)
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[1:2] == [b"run"] and str(tmp_path).encode() in words[2]:
                os.kill(int(path.parent.name), signal.SIGKILL)
                killed.append(path)

    killer = threading.Thread(target=kill)
    killer.start()
    result = dg.materialize([asset_of_job(tmp_path, text)], resources=RESOURCES, raise_on_error=False)
    killer.join()
    assert killed and not result.success
    committed = one(db, "SELECT count(*) FROM big")
    assert 0 < committed < rows
    result = dg.materialize([asset_of_job(tmp_path, text)], resources=RESOURCES)
    said = metadata(result, "big")
    assert said["dbload/starts"] == 2 and said["dbload/inserted"] == rows == one(db, "SELECT count(*) FROM big")
