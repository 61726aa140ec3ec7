"""Databases for tests: the fixture `dbload_db` is the URL of a database that one test has for itself.

What is in it is said once, in the configuration of pytest (`dbload_schema`, `dbload_migrations_in`,
`dbload_migrate`, `dbload_fixtures`), and for a test by markers. The work is done by `dbload testing database`,
a process for each kind of database and worker, which lives as long as its stdin: were a worker killed, its
databases would go too. All of them use one server, which the first to need one starts, unless
DBLOAD_TEST_SERVER names one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ._program import find_program

_SERVER = "DBLOAD_TEST_SERVER"

_STATE = pytest.StashKey["_Databases"]()
_URL = pytest.StashKey[str]()
_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("dbload_schema", "files of SQL for dbload_db, such as pg_dump writes", "paths", [])
    parser.addini("dbload_migrations_in", "a folder of migrations for dbload_db", "string", "")
    parser.addini("dbload_migrate", "NAME=COMMAND that migrates DATABASE_URL, for dbload_db", "string", "")
    parser.addini("dbload_fixtures", "folders of fixtures for dbload_db", "paths", [])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fixtures(*dirs): folders of fixtures that dbload_db has in this test")
    config.addinivalue_line("markers", "by_schema: dbload_db is a schema of its own, in place of a database")
    databases = _Databases(config)
    config.stash[_STATE] = databases
    # Workers of xdist inherit it. They are begun later, and know nothing of each other.
    is_controller = not hasattr(config, "workerinput")
    if is_controller and getattr(config.option, "numprocesses", None) and databases.is_configured():
        databases.start_server()


def pytest_unconfigure(config: pytest.Config) -> None:
    databases = config.stash.get(_STATE, None)
    if databases is not None:
        databases.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    report = (yield).get_result()
    url = item.stash.get(_URL, None)
    if report.failed and url is not None and report.when != "teardown":
        item.stash[_FAILED] = True
        report.sections.append(("dbload", f"the database of this test stays as long as its server: {url}"))


@pytest.fixture
def dbload_db(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that this test has for itself. After a failure it stays, until the next run."""
    item = request.node
    kind = request.config.stash[_STATE].kind(item)
    item.stash[_URL] = kind.next()
    yield item.stash[_URL]
    kind.give_back(keep=item.stash.get(_FAILED, False))


class _Databases:
    """The kinds of databases that this process has asked for, and the server where it has started one."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._server: _Program | None = None

    def is_configured(self) -> bool:
        return len(self._arguments(None)) > 0

    def kind(self, item: pytest.Item) -> _Kind:
        arguments = self._arguments(item)
        kind = self._kinds.get(arguments)
        if kind is None:
            self.start_server()
            kind = self._kinds[arguments] = _Kind(arguments)
        return kind

    def start_server(self) -> None:
        """A throwaway server for this process and all that it starts, unless there is one."""
        if os.environ.get(_SERVER, "").strip():
            return
        show = f'echo "${_SERVER}"; exec cat >/dev/null'
        self._server = _Program(["local", "run", "--", "sh", "-c", show])
        os.environ[_SERVER] = self._server.line()

    def close(self) -> None:
        for kind in self._kinds.values():
            kind.close()
        if self._server is not None:
            self._server.end()
            os.environ.pop(_SERVER, None)
            self._server = None

    def _arguments(self, item: pytest.Item | None) -> tuple[str, ...]:
        config = self._config
        arguments = [f"--schema={path}" for path in config.getini("dbload_schema")]
        for name in ("migrations_in", "migrate"):
            value = config.getini(f"dbload_{name}")
            if value:
                value = str(config.rootpath / value) if name == "migrations_in" else value
                arguments.append(f"--{name.replace('_', '-')}={value}")
        folders = [Path(folder) for folder in config.getini("dbload_fixtures")]
        if item is not None:
            for marker in reversed(list(item.iter_markers("fixtures"))):
                folders += [item.path.parent / folder for folder in marker.args]
            if item.get_closest_marker("by_schema"):
                arguments.append("--by-schema")
        arguments += [f"--fixtures={folder}" for folder in folders]
        return tuple(arguments)


class _Kind:
    """Databases that are made alike, one after the other: one is asked for when that before is given back."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._arguments = arguments
        self._program: _Program | None = None

    def next(self) -> str:
        if self._program is None:
            self._program = _Program(["testing", "database", *self._arguments])
        try:
            return self._program.line()
        except pytest.fail.Exception:
            self._program = None
            raise

    def give_back(self, *, keep: bool) -> None:
        if self._program is not None:
            self._program.say("keep" if keep else "next")

    def close(self) -> None:
        if self._program is not None:
            self._program.end()
            self._program = None


class _Program:
    """dbload, which ends when its stdin does: also when this process is killed."""

    def __init__(self, words: list[str]) -> None:
        # A file: nobody reads a pipe while it runs.
        self._words_of_it = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [find_program(), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words_of_it,
            text=True,
            # Ctrl-C is for the tests: what they use goes behind them.
            start_new_session=True,
        )

    def line(self) -> str:
        stdout = self._process.stdout
        line = stdout.readline().strip() if stdout is not None else ""
        if line:
            return line
        self.end()
        self._words_of_it.seek(0)
        words = self._words_of_it.read().decode(errors="replace")
        code = self._process.returncode
        raise pytest.fail.Exception(f"dbload gives no database (exit code {code}):\n{words}", pytrace=False)

    def say(self, word: str) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            # Were it gone, there would be no next line.
            with contextlib.suppress(BrokenPipeError):
                stdin.write(f"{word}\n")
                stdin.flush()

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
