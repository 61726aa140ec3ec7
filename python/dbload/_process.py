"""The program as a process: what it is started with, what it is given, what it came to."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from ._errors import BY_CODE, GOES_ON, Error, Interrupted
from ._options import Option, arguments, dsn_text
from ._program import find_program
from ._report import Report

LOGGER = logging.getLogger("dbload")

PIPE_BYTES = 1 << 20
"""Size of the pipe to the program, where the system lets it: fewer turns for the same bytes."""

GRACE_SECONDS = 30.0
"""How long the program may take to commit what is in flight. It takes 4 s at most, and then needs its server."""

_OUR_VARIABLES = ("JSON", "QUIET", "VERBOSE", "LOG_FORMAT", "NO_PROGRESS", "END_MARK")


class Ended(Exception):
    """The program reads no more: it has ended, and says why."""


class Process:
    """A load under way. `pushes`: its records come through `write`, and it must be told that they are all."""

    def __init__(
        self,
        sources: Sequence[str],
        *,
        pushes: bool,
        dsn: Any,
        table: str | None,
        key: str | Sequence[str] | None,
        options: Mapping[str, Option],
    ) -> None:
        words, variables = arguments({"table": table, "key": key, **options})
        env = {name: value for name, value in os.environ.items() if name not in _not_inherited()}
        env.update(variables)
        if dsn is not None:
            env["DBLOAD_DSN"] = dsn_text(dsn)
        self._mark = secrets.token_hex(16)
        if pushes:
            words += ["--format=jsonl", f"--end-mark={self._mark}"]
            if options.get("load_id") is None and not options.get("no_ledger"):
                # Two calls with other records are two loads.
                words.append(f"--load-id=python-{self._mark}")
        argv = [find_program(), *words, "--json", "--no-progress", "--", *sources]
        self._keyed = not (options.get("mode") == "append")
        self._pushes = pushes
        self._resumes = not options.get("no_ledger")
        self._is_interrupted = False
        # A session of its own: Ctrl-C of a terminal goes to this process, which passes it on once.
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if pushes else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            bufsize=0,
            start_new_session=True,
        )
        if pushes:
            _widen(self._child.stdin)
        self._stdout = b""
        self._said: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_report, name="dbload-report", daemon=True),
            threading.Thread(target=self._read_words, name="dbload-words", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_report(self) -> None:
        assert self._child.stdout is not None
        self._stdout = self._child.stdout.read()

    def _read_words(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            words = line.decode("utf-8", "replace").rstrip("\n")
            if len(self._said) < 1_000:
                self._said.append(words)
            level = logging.WARNING if words.lstrip().startswith(("WARN", "warning")) else logging.INFO
            LOGGER.log(level, "%s", words)

    def write(self, data: bytes) -> None:
        """Hands it over; waits while the program has enough.

        Raises:
            Ended: nobody reads any more; `end` says why.
        """
        pipe = self._child.stdin
        assert pipe is not None
        view = memoryview(data)
        try:
            while view:
                view = view[pipe.write(view) or 0 :]
        except (BrokenPipeError, ValueError):
            raise Ended from None

    def interrupt(self) -> None:
        """Stops it as Ctrl-C does: what is in flight is committed, the rest is for the next start."""
        # Once: a second one ends it at once, in the middle of a batch.
        if not self._is_interrupted and self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
        self._is_interrupted = True
        self._close()

    def complete(self) -> Report:
        """All records were written: waits for the report.

        Raises:
            Error: it came to no good end.
        """
        if self._pushes:
            try:
                self.write(f"{self._mark}\n".encode())
            except Ended:
                pass
        return self.end()

    def end(self) -> Report:
        """Waits for the end, of what was written so far without the word that it was all.

        Raises:
            Error: it came to no good end.
        """
        self._close()
        try:
            code = self._child.wait()
        except KeyboardInterrupt:
            raise self.interrupted() from self.stop()
        self._join()
        report = self._report()
        if code in (0, 3) and report is not None:
            return report
        raise self._error(code, report)

    def stop(self) -> Error | None:
        """Interrupts it, and waits. What is to be known of it then."""
        self.interrupt()
        try:
            self._child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
        except KeyboardInterrupt:
            # Once more ends at once.
            self._child.kill()
        code = self._child.wait()
        self._join()
        report = self._report()
        return None if code in (0, 3) else self._error(code, report)

    @staticmethod
    def interrupted() -> KeyboardInterrupt:
        return KeyboardInterrupt("the load was stopped; the same call goes on")

    def _close(self) -> None:
        if self._child.stdin is not None:
            try:
                self._child.stdin.close()
            except OSError:
                pass

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()

    def _report(self) -> Report | None:
        try:
            said = json.loads(self._stdout)
            return Report.of(said)
        except (ValueError, KeyError, TypeError):
            return None

    def _error(self, code: int, report: Report | None) -> Error:
        messages, hint = _words(self._said)
        if report is not None:
            failed = [f"{one.name}: {one.error}" if one.error else one.name
                      for one in report.sources if one.state == "failed"]
            messages = messages or failed
        message = "; ".join(messages) or _fallback(code, self._said)
        kind = BY_CODE.get(code, Interrupted if code < 0 else Error)
        keyed = report.mode != "append" if report is not None else self._keyed
        goes_on = (code in GOES_ON or code < 0) and (keyed if self._pushes else self._resumes or keyed)
        return kind(message, hint=hint, resumable=goes_on, report=report, code=code)


def _not_inherited() -> frozenset[str]:
    return frozenset(f"DBLOAD_{name}" for name in _OUR_VARIABLES)


def _words(said: Sequence[str]) -> tuple[list[str], str | None]:
    """The errors that the program named, and its hint. A hint may go on, indented, for several lines."""
    errors: list[str] = []
    hints: list[str] = []
    in_hint = False
    for line in said:
        if line.startswith("error: "):
            errors.append(line.removeprefix("error: "))
            in_hint = False
        elif line.startswith("hint: "):
            hints = [line.removeprefix("hint: ")]
            in_hint = True
        elif in_hint and line.startswith("      "):
            hints.append(line.removeprefix("      "))
        else:
            in_hint = False
    return errors, "\n".join(hints) or None


def _fallback(code: int, said: Sequence[str]) -> str:
    if code < 0:
        return f"dbload was ended by signal {-code}"
    last = [line for line in said if line.strip() and not line.startswith("hint: ")][-3:]
    return "; ".join(last) or f"dbload ended with exit code {code} and no report"


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes the pipe larger, where the system has a call for it."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # type: ignore[union-attr]
    except (ImportError, AttributeError, OSError):
        pass
