"""What goes in, what comes out, and how a load ends that does not end well."""

import asyncio
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import dbload

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, name text)"


def some(count, name="a"):
    return ({"id": at, "name": name} for at in range(count))


def test_paths_records_and_generators_are_upserted(db, tmp_path):
    db.run(TABLE)
    (tmp_path / "a.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "b.jsonl").write_text('{"id":3,"name":"c"}\n')
    report = dbload.load(tmp_path / "a.csv", table="t", dsn=db.url)
    assert (report.rows.read, report.rows.inserted, report.complete) == (2, 2, True)
    report = dbload.load([tmp_path / "a.csv", "b.jsonl"], table="t", dsn=db.url)
    assert (report.rows.unchanged, report.rows.inserted, len(report.sources)) == (2, 1, 2)
    report = dbload.load([{"id": 3, "name": "d"}, {"id": 4}], table="t", key="id", dsn=db.url)
    assert (report.rows.updated, report.rows.inserted) == (1, 1)
    report = dbload.load(some(1_000), table="t", key=["id"], dsn=db.url)
    assert report.rows.read == 1_000 and db.one("SELECT count(*) FROM t WHERE name = 'a'") == 1_000
    assert report.guarantee == "effectively-once" and report.raw["version"] == 1
    assert dbload.load([], table="t", dsn=db.url).rows.read == 0


def test_a_field_that_is_absent_is_left_alone_and_none_is_null(db):
    db.run(TABLE)
    dbload.load(some(2), table="t", dsn=db.url)
    dbload.load([{"id": 0}, {"id": 1, "name": None}], table="t", dsn=db.url)
    assert db.rows("SELECT * FROM t ORDER BY id") == [(0, "a"), (1, None)]


def test_async_iterables_and_asyncio(db):
    db.run(TABLE)

    async def records():
        for record in some(5_000):
            yield record

    assert dbload.load(records(), table="t", dsn=db.url).rows.inserted == 5_000

    async def both():
        first = dbload.aload(records(), table="t", dsn=db.url)
        second = dbload.aload(list(some(100, "b")), table="t", dsn=db.url)
        await first
        await second
        with pytest.raises(dbload.UsageError, match="aload"):
            dbload.load(records(), table="t", dsn=db.url)

    asyncio.run(both())
    assert db.one("SELECT count(*) FROM t WHERE name = 'b'") in range(101)
    assert db.one("SELECT count(*) FROM t") == 5_000


def test_a_cancelled_load_is_stopped_and_what_is_committed_stays(db):
    db.run(TABLE)

    async def forever():
        for record in some(10**9):
            yield record
            if record["id"] % 1_000 == 0:
                await asyncio.sleep(0)

    async def cancelled():
        work = asyncio.ensure_future(dbload.aload(forever(), table="t", dsn=db.url))
        while db.one("SELECT count(*) FROM t") == 0:
            await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(cancelled())
    assert db.one("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dbload%'") == 0


def test_records_are_pushed(db):
    db.run(TABLE)
    with dbload.loader(table="t", key="id", dsn=db.url) as load:
        load.send({"id": 1, "name": "a"})
        load.send_all(some(1_000, "b"))
        load.flush()
        with pytest.raises(TypeError, match="name"):
            load.send({"id": 2, "name": object()})
    assert load.report.rows.read == 1_001 and load.report.complete
    assert db.one("SELECT name FROM t WHERE id = 1") == "b"


def test_left_by_an_exception_a_load_has_failed(db):
    db.run(TABLE)
    with pytest.raises(ZeroDivisionError):
        with dbload.loader(table="t", dsn=db.url) as load:
            load.send_all(some(10))
            raise ZeroDivisionError
    assert load.report is None
    assert db.one("SELECT count(*) FROM _dbload.run WHERE state = 'completed'") == 0


def test_a_generator_that_raises_is_a_failed_source_and_no_short_load(db):
    db.run(TABLE)

    def broken():
        yield from some(10_000)
        raise RuntimeError("the upstream is gone")

    with pytest.raises(dbload.SourceError, match="the upstream is gone") as caught:
        dbload.load(broken(), table="t", dsn=db.url, pool_size=1, batch_rows=1000)
    error = caught.value
    assert isinstance(error.__cause__, RuntimeError) and error.code == 4 and error.resumable and error.hint
    assert error.report is not None and not error.report.complete
    assert error.report.rows.read == db.one("SELECT count(*) FROM t")
    # An append would have what was committed twice.
    with pytest.raises(dbload.SourceError) as caught:
        dbload.load(broken(), table="t", dsn=db.url, mode="append", pool_size=1, batch_rows=1000)
    assert not caught.value.resumable


def test_an_interpreter_that_is_killed_leaves_a_failed_source(db, tmp_path):
    db.run(TABLE)
    script = textwrap.dedent(
        """
        import dbload, os, signal, sys, time
        def records():
            for at in range(30_000):
                yield {"id": at, "name": "a"}
            time.sleep(600)
        dbload.load(records(), table="t", dsn=sys.argv[1], load_id="killed", pool_size=1, batch_rows=1000)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script, db.url], cwd=tmp_path)
    give_up = time.monotonic() + 60
    while db.one("SELECT count(*) FROM t") == 0:
        assert child.poll() is None and time.monotonic() < give_up
        time.sleep(0.1)
    child.kill()
    child.wait()
    give_up = time.monotonic() + 60
    while db.one("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dbload%'"):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    states = [state for (state,) in db.rows("SELECT DISTINCT state FROM _dbload.run")]
    assert states and "completed" not in states


def test_the_same_for_the_program_by_itself(db, tmp_path):
    db.run(TABLE)
    run = lambda text: subprocess.run(
        [dbload.find_program(), "-", "--table=t", "--end-mark=END", "--json"],
        input=text,
        capture_output=True,
        env={**os.environ, "DBLOAD_DSN": db.url},
    )
    whole = run(b'{"id":1}\n{"id":2}\nEND\n')
    assert whole.returncode == 0 and json.loads(whole.stdout)["rows"]["read"] == 2
    cut = run(b'{"id":1}\n{"id":3}\n')
    assert cut.returncode == 4 and b"end mark" in cut.stderr and not json.loads(cut.stdout)["complete"]


@pytest.mark.parametrize("data", ["rows.csv", "records"])
def test_ctrl_c_stops_a_load_so_that_the_same_call_goes_on(db, tmp_path, data):
    db.run(TABLE)
    (tmp_path / "rows.csv").write_text("id,name\n" + "".join(f"{at},a\n" for at in range(150_000)))
    script = textwrap.dedent(
        """
        import dbload, sys, time
        def records():
            for at in range(10**9):
                yield {"id": at, "name": "a"}
        data = records() if sys.argv[2] == "records" else sys.argv[2]
        try:
            dbload.load(data, table="t", dsn=sys.argv[1], pool_size=1, batch_rows=500)
        except KeyboardInterrupt as stopped:
            cause = stopped.__cause__
            print(type(cause).__name__, cause.code, cause.resumable, cause.report.rows.read)
            raise
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script, db.url, data], stdout=subprocess.PIPE, cwd=tmp_path)
    while db.one("SELECT count(*) FROM t") == 0:
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[0].decode().split()
    assert child.returncode == -signal.SIGINT
    committed = db.one("SELECT count(*) FROM t")
    assert said == ["Interrupted", "130", "True", str(committed)]
    if data == "rows.csv":
        report = dbload.load(data, table="t", dsn=db.url)
        assert report.attempts == 2 and report.rows.inserted == 150_000


def test_errors_say_what_can_be_done(db, tmp_path):
    db.run(TABLE)
    with pytest.raises(dbload.SourceError, match="nowhere.csv"):
        dbload.load("nowhere.csv", table="t", dsn=db.url)
    with pytest.raises(dbload.SchemaError, match="nme") as caught:
        dbload.load([{"id": 1, "nme": "a"}], table="t", dsn=db.url)
    assert caught.value.hint and not caught.value.resumable
    with pytest.raises(dbload.DatabaseError) as caught:
        dbload.load([{"id": 1}], table="t", dsn="postgresql://127.0.0.1:1/x?user=y", retry_for="1s")
    assert caught.value.code == 5
    with pytest.raises(dbload.TooManyRejects) as caught:
        dbload.load([{"id": "x"}], table="t", dsn=db.url, max_rejects=0)
    assert caught.value.report.rows.rejected == 1
    with pytest.raises(dbload.UsageError, match="colour"):
        dbload.load([{"id": 1}], table="t", dsn=db.url, colour="red")
    for data in ({"id": 1}, b"id\n1\n", 7, None, "-"):
        with pytest.raises(dbload.UsageError):
            dbload.load(data, table="t", dsn=db.url)
    for record in (["id", 1], 5):
        with pytest.raises(dbload.SourceError, match="must be a dict"):
            dbload.load([record], table="t", dsn=db.url)
    report = dbload.load([{"id": "x"}, {"id": 1}], table="t", dsn=db.url, rejects=tmp_path / "r.jsonl")
    assert report.rows.rejected == 1 and report.rejects.reasons[0].sqlstate == "22P02"
    assert (tmp_path / "r.jsonl").exists()


def test_the_dsn_and_secrets_are_in_no_argument(db, monkeypatch):
    db.run(TABLE)
    seen = []

    def records():
        yield {"id": 1}
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if b"--end-mark" in words:
                seen.append(words)

    options = {"header": "Authorization: canary", "secret_param": ["a=canary", "b=canary"]}
    dbload.load(records(), table="t", dsn=db.url + " application_name=canary", **options)
    assert seen and not any(b"canary" in words for words in seen)


def test_memory_is_bounded_by_back_pressure(db):
    """Records are made no faster than they are loaded: what is under way is bounded."""
    db.run("CREATE TABLE w (id bigint PRIMARY KEY, t text)")
    import resource

    text = "x" * 1_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = dbload.load(({"id": at, "t": text} for at in range(80_000)), table="w", dsn=db.url)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert report.rows.inserted == 80_000
    assert after - before < 40_000, "80 MB went through"
