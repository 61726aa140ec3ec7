"""The writer by the real Spark, two workers: `scripts/test-integrations spark`."""

import os
import pathlib
import signal
import threading
import time

import dbload
import dbload.spark
import psycopg
import pytest
from pyspark.sql import SparkSession

from orders import orders

DSN = os.environ["DATABASE_URL"]
ROWS = 20_000
HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def spark():
    import sys

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .appName("dbload")
        .config("spark.ui.enabled", "false")
        .config("spark.task.maxFailures", "4")
        .config("spark.speculation", "true")
        .config("spark.speculation.interval", "100ms")
        .config("spark.speculation.multiplier", "1.5")
        .config("spark.speculation.quantile", "0.5")
        .config("spark.executorEnv.PYTHONPATH", os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(HERE)]))
        .config("spark.executorEnv.DBLOAD_BINARY", dbload.find_program())
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture
def db():
    with psycopg.connect(DSN, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS _dbload CASCADE")
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, name text, amount numeric(20,2), version int)")
        yield connection


def one(db, sql):
    return db.execute(sql).fetchone()[0]


def is_right(db, rows=ROWS):
    """Each order is there in its later version."""
    wrong = one(
        db,
        f"SELECT count(*) FROM orders WHERE version <> 1 OR name <> 'order ' || id + {rows} "
        f"OR amount <> (id + {rows}) * 1.25",
    )
    return one(db, "SELECT count(*) FROM orders") == rows and wrong == 0


def test_the_later_version_of_each_key_wins(spark, db):
    report = dbload.spark.write(orders(spark, ROWS), "orders", "id", order_by="version", dsn=DSN)
    assert is_right(db)
    assert report.rows.read == 2 * ROWS and len(report.reports) == 8
    again = dbload.spark.write(orders(spark, ROWS), "orders", "id", order_by="version", newer_by="version", dsn=DSN)
    assert is_right(db) and again.rows.inserted == 0


def fails_once(row):
    from pyspark import TaskContext

    task = TaskContext.get()
    if task.attemptNumber() == 0 and row.id % 1_000 == 999:
        raise RuntimeError("this attempt dies")
    return row


def test_a_task_that_dies_is_tried_again(spark, db):
    frame = orders(spark, ROWS)
    dying = spark.createDataFrame(frame.rdd.map(fails_once), frame.schema)
    report = dbload.spark.write(dying, "orders", "id", order_by="version", dsn=DSN, batch_rows=500)
    assert is_right(db) and report.rows.read == 2 * ROWS


def kill_one(pattern, where):
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if pattern in words and where in words:
            os.kill(int(path.parent.name), signal.SIGKILL)
            return True
    return False


def test_a_worker_is_killed_in_the_middle(spark, db):
    killed = []

    def kill():
        give_up = time.monotonic() + 120
        with psycopg.connect(DSN, autocommit=True) as connection:
            while one(connection, "SELECT count(*) FROM orders") < 1_000 and time.monotonic() < give_up:
                time.sleep(0.02)
        killed.append(kill_one(b"CoarseGrainedExecutorBackend", b"--executor-id"))

    killer = threading.Thread(target=kill)
    killer.start()
    report = dbload.spark.write(orders(spark, 5 * ROWS), "orders", "id", order_by="version", dsn=DSN, batch_rows=200)
    killer.join()
    assert killed == [True]
    assert is_right(db, 5 * ROWS) and report.rows.read == 10 * ROWS


def slow_first(row):
    from pyspark import TaskContext

    task = TaskContext.get()
    if task.attemptNumber() == 0 and task.partitionId() == 0 and row.id % 50 == 0:
        time.sleep(0.1)
    return row


def test_a_speculative_attempt_changes_nothing(spark, db):
    frame = orders(spark, ROWS)
    slow = spark.createDataFrame(frame.rdd.map(slow_first), frame.schema)
    report = dbload.spark.write(slow, "orders", "id", order_by="version", newer_by="version", dsn=DSN)
    assert is_right(db) and report.rows.read == 2 * ROWS


def test_an_append_is_refused(spark):
    with pytest.raises(dbload.UsageError, match="append"):
        dbload.spark.write(orders(spark, 10), "orders", "id", mode="append")
