"""Each test has a database of its own on the server that `dbload local run` gives (DATABASE_URL)."""

import itertools
import os

import psycopg
import pytest

_NUMBER = itertools.count()


class Database:
    def __init__(self, url):
        self.url = url

    def run(self, sql):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql)

    def rows(self, sql):
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()

    def one(self, sql):
        return self.rows(sql)[0][0]


@pytest.fixture
def db(tmp_path, monkeypatch):
    server = os.environ.get("DATABASE_URL")
    if not server:
        pytest.skip("no server: dbload local run -- python -m pytest")
    monkeypatch.chdir(tmp_path)
    name = f"py_{os.getpid()}_{next(_NUMBER)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield Database(psycopg.conninfo.make_conninfo(server, dbname=name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
