"""The plugin, from outside: projects with tests, run as a user runs them. Needs the program (DBLOAD_BINARY)."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL UNIQUE);
"""

INI = """
[pytest]
dbload_schema = schema.sql
dbload_fixtures = fixtures
"""

HEAD = """
import os, time, psycopg, pytest
def names(url):
    with psycopg.connect(url) as db:
        return [row[0] for row in db.execute("SELECT name FROM users ORDER BY 1")]
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures/users.jsonl").write_text('{"$label": "alice", "name": "Alice"}\n')
    (tmp_path / "tests/more").mkdir(parents=True)
    (tmp_path / "tests/more/users.csv").write_text("$label,name\nbob,Bob\n")
    return tmp_path


def words_for(project, *args):
    return [sys.executable, "-m", "pytest", "-p", "dbload.pytest_plugin", "-p", "no:cacheprovider", "-v", *args]


@pytest.fixture(scope="session", autouse=True)
def place():
    """Where the servers of these tests are, and no others. The server's user may enter it."""
    with tempfile.TemporaryDirectory(prefix="dbload-py-", dir="/tmp") as place:
        os.chmod(place, 0o755)
        os.environ["TMPDIR"] = place
        yield place


def environment(**more):
    env = {name: value for name, value in os.environ.items() if name not in ("DBLOAD_TEST_SERVER", "DATABASE_URL")}
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    return {**env, **more}


def run(project, *args, **more):
    return subprocess.run(
        words_for(project, *args), cwd=project, env=environment(**more), capture_output=True, text=True, check=False
    )


def servers():
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if os.environ["TMPDIR"] in line and "postgres -D" in line]


@pytest.mark.parametrize("args", [(), ("-n", "3")])
def test_each_test_has_what_it_wants_for_itself(project, args):
    tests = HEAD + """
def test_one(dbload_db):
    assert names(dbload_db) == ["Alice"]
    with psycopg.connect(dbload_db) as db:
        db.execute("DELETE FROM users")

@pytest.mark.parametrize("again", range(5))
def test_other(dbload_db, again):
    assert names(dbload_db) == ["Alice"]

@pytest.mark.fixtures("more")
def test_more(dbload_db):
    assert names(dbload_db) == ["Alice", "Bob"]

@pytest.mark.by_schema
def test_schema(dbload_db):
    assert "search_path" in dbload_db
    assert names(dbload_db) == ["Alice"]
"""
    (project / "tests/test_it.py").write_text(tests)
    done = run(project, *args)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
    assert servers() == []


def test_the_database_of_a_failed_test_stays_for_its_server(project):
    tests = HEAD + """
def test_fails(dbload_db):
    assert names(dbload_db) == []

def test_passes(dbload_db):
    print("URL", dbload_db)
"""
    (project / "tests/test_it.py").write_text(tests)
    server = subprocess.Popen(
        [os.environ["DBLOAD_BINARY"], "local", "run", "--", "sh", "-c", 'echo "$DBLOAD_TEST_SERVER"; exec cat'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        url = server.stdout.readline().strip()
        failed = run(project, "-s", DBLOAD_TEST_SERVER=url)
        assert "1 failed, 1 passed" in failed.stdout, failed.stdout + failed.stderr
        kept = re.search(r"stays as long as its server: (\S+)", failed.stdout)[1]
        with psycopg.connect(kept) as db:
            assert db.execute("SELECT name FROM users").fetchall() == [("Alice",)]
        passed = re.search(r"URL (\S+)", failed.stdout)[1]
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(passed)
        run(project, "-k", "passes", DBLOAD_TEST_SERVER=url)
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(kept)
    finally:
        server.stdin.close()
        server.wait()


def test_what_is_wrong_with_fixtures_is_the_error_of_the_test(project):
    (project / "fixtures/users.csv").write_text("nam\nx\n")
    (project / "tests/test_it.py").write_text(HEAD + "\ndef test_it(dbload_db):\n    pass\n")
    done = run(project)
    assert "1 error" in done.stdout, done.stdout + done.stderr
    assert 'users.csv:2: public.users has no column "nam"; the nearest is "name"' in done.stdout


@pytest.mark.parametrize("args", [(), ("-n", "2")])
def test_a_killed_run_leaves_no_server(project, args):
    tests = HEAD + """
def test_it(dbload_db):
    open("begun", "w").close()
    time.sleep(60)
"""
    (project / "tests/test_it.py").write_text(tests)
    child = subprocess.Popen(
        words_for(project, *args), cwd=project, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    wait_for(lambda: (project / "begun").exists())
    assert servers()
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    wait_for(lambda: not servers())


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("a minute is over")
