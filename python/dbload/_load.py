"""The ways in: `load`, `aload`, and `loader` for records that come one by one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Union

from ._errors import SourceError, UsageError
from ._frames import _encoded, is_frame, lines
from ._options import Option
from ._process import Ended, Process
from ._report import Report
from ._values import record_text

Data = Union[str, "os.PathLike[str]", Iterable[Any], AsyncIterable[Any], Any]
"""What can be loaded: a path or URL, or a list of them; records (dicts) or frames, one behind the other; a
frame of pandas or polars; whatever has `__arrow_c_stream__`."""

CHUNK_BYTES = 1 << 16
"""Records are handed over together: a turn of the pipe for each would cost more than they do."""

CHUNK_SECONDS = 0.1
"""Records that come slowly are handed over when they are there."""


def load(
    data: Data,
    *,
    table: str | None = None,
    key: str | Sequence[str] | None = None,
    dsn: Any = None,
    **options: Option,
) -> Report:
    """Loads data into a table of PostgreSQL and waits for the report.

    `options` are the flags of the program with underscores: `newer_by="updated_at"`, `pool_size=8`,
    `no_ledger=True`. Without `dsn` the environment says where the database is (`DATABASE_URL`, `PG*`).
    Rejected records are no error unless they are more than `max_rejects`: look at `report.rows.rejected`.

    Raises:
        Error: it came to no good end; the class says what can be done, the `hint` says it in words.
        KeyboardInterrupt: stopped by Ctrl-C, resumably; its `__cause__` is `Interrupted`, with the report.
    """
    if isinstance(data, AsyncIterable) and not is_frame(data):
        return _run(aload(data, table=table, key=key, dsn=dsn, **options))
    sources = _sources(data)
    process = Process(sources or ["-"], pushes=sources is None, dsn=dsn, table=table, key=key, options=options)
    if sources is not None:
        return process.end()
    return _push(process, _chunks(data))


async def aload(
    data: Data,
    *,
    table: str | None = None,
    key: str | Sequence[str] | None = None,
    dsn: Any = None,
    **options: Option,
) -> Report:
    """`load` for asyncio. Cancelled, it stops the load resumably and waits until that is done. An async
    iterable is read in the loop; what is none is read in a thread."""
    is_async = isinstance(data, AsyncIterable) and not is_frame(data)
    sources = None if is_async else _sources(data)
    process = Process(sources or ["-"], pushes=sources is None, dsn=dsn, table=table, key=key, options=options)
    if is_async:
        work = asyncio.ensure_future(_apush(process, data))
    elif sources is None:
        work = asyncio.ensure_future(asyncio.to_thread(_push, process, _chunks(data)))
    else:
        work = asyncio.ensure_future(asyncio.to_thread(process.end))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        process.interrupt()
        work.cancel()
        await asyncio.shield(asyncio.to_thread(process.stop))
        await asyncio.gather(work, return_exceptions=True)
        raise


def loader(
    *,
    table: str | None = None,
    key: str | Sequence[str] | None = None,
    dsn: Any = None,
    **options: Option,
) -> Loader:
    """A load that records are pushed into:

        with dbload.loader(table="readings", key="id") as load:
            load.send({"id": 1, "celsius": 20.5})
        print(load.report)

    Left by an exception, the load has failed: what was sent is not taken for all there is."""
    return Loader(table=table, key=key, dsn=dsn, options=options)


class Loader:
    """A load that records are pushed into; made by `loader`. Of one thread at a time."""

    report: Report | None
    """What it came to, once it has ended well."""

    def __init__(self, *, table: Any, key: Any, dsn: Any, options: Mapping[str, Option]) -> None:
        self._process = Process(["-"], pushes=True, dsn=dsn, table=table, key=key, options=options)
        self._buffer = _Buffer()
        self._is_open = True
        self.report = None

    def send(self, record: Mapping[str, Any]) -> None:
        """Sends one record; waits while the database has enough to do.

        Raises:
            TypeError: a value has no form in a table. Nothing of the record was sent.
            Error: the load has ended, and says why.
        """
        self._write(self._buffer.add(record_text(record)))

    def send_all(self, data: Data) -> None:
        """Sends records, or the rows of a frame.

        Raises:
            TypeError: a value has no form in a table. Records before it were sent.
            Error: the load has ended, and says why.
        """
        self.flush()
        for chunk in _chunks(data):
            self._write(chunk)

    def flush(self) -> None:
        """Hands over what was sent and is still here. It is committed some seconds later.

        Raises:
            Error: the load has ended, and says why.
        """
        self._write(self._buffer.take())

    def _write(self, chunk: bytes) -> None:
        if not self._is_open:
            raise UsageError("the load has ended: nothing more can be sent")
        if not chunk:
            return
        try:
            self._process.write(chunk)
        except Ended:
            self._is_open = False
            self._process.end()
            raise UsageError("the program reads no more") from None

    def finish(self) -> Report:
        """All was sent: waits for the report. The end of a `with` does this.

        Raises:
            Error: it came to no good end.
        """
        if self.report is None:
            self.flush()
            self._is_open = False
            self.report = self._process.complete()
        return self.report

    def __enter__(self) -> Loader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        elif self._is_open:
            self._is_open = False
            self._process.stop() if kind is KeyboardInterrupt else _give_up(self._process)


def _give_up(process: Process) -> Exception:
    """Ends it without the word that all was sent. What it came to."""
    try:
        process.end()
    except Exception as error:
        return error
    return SourceError("the data came to no end")


def _push(process: Process, chunks: Iterator[bytes]) -> Report:
    try:
        for chunk in chunks:
            process.write(chunk)
    except Ended:
        return process.end()
    except KeyboardInterrupt:
        raise process.interrupted() from process.stop()
    except Exception as error:
        raise _failed(process, error) from error
    except BaseException:
        _give_up(process)
        raise
    return process.complete()


async def _apush(process: Process, records: Any) -> Report:
    buffer = _Buffer()
    try:
        async for item in records:
            if type(item) is not dict and is_frame(item):
                await asyncio.to_thread(process.write, buffer.take())
                for chunk in lines(item):
                    await asyncio.to_thread(process.write, chunk)
            elif chunk := buffer.add(record_text(item)):
                await asyncio.to_thread(process.write, chunk)
        await asyncio.to_thread(process.write, buffer.take())
    except Ended:
        return await asyncio.to_thread(process.end)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        raise await asyncio.to_thread(_failed, process, error) from error
    return await asyncio.to_thread(process.complete)


def _failed(process: Process, error: Exception) -> Exception:
    """The data has raised: the load has failed with it. What is committed is in the report."""
    ended = _give_up(process)
    if not isinstance(ended, SourceError):
        return ended
    again = "mend it and load it again: the key makes that harmless" if ended.resumable else None
    return SourceError(
        f"the data ended with {type(error).__name__}: {error}",
        hint=again or ended.hint,
        resumable=ended.resumable,
        report=ended.report,
        code=ended.code,
    )


def _run(work: Any) -> Report:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_awaited(work))
    work.close()
    raise UsageError("in a running loop an async iterable is loaded by: await dbload.aload(..)")


async def _awaited(work: Any) -> Report:
    report: Report = await work
    return report


def _sources(data: Any) -> list[str] | None:
    """The words of sources; `None`: it is the records themselves."""
    if isinstance(data, (str, os.PathLike)):
        return [_word(data)]
    if isinstance(data, (list, tuple)) and data and all(isinstance(one, (str, os.PathLike)) for one in data):
        return [_word(one) for one in data]
    if isinstance(data, (bytes, bytearray, memoryview, Mapping)) or not (
        is_frame(data) or isinstance(data, Iterable)
    ):
        what = "a list of it" if isinstance(data, Mapping) else "a path, records or a frame"
        raise UsageError(f"data is {type(data).__name__}: it must be {what}")
    return None


def _word(source: Any) -> str:
    word = os.fspath(source)
    if word == "-" or not word:
        raise UsageError("data must be a path, a URL or records: standard input is that of the program")
    return word if isinstance(word, str) else os.fsdecode(word)


class _Buffer:
    """Records until they are worth a turn of the pipe."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._size = 0
        self._since = time.monotonic()

    def add(self, text: str) -> bytes:
        """What is to be handed over now; mostly nothing."""
        self._texts.append(text)
        self._size += len(text)
        if self._size < CHUNK_BYTES and time.monotonic() - self._since < CHUNK_SECONDS:
            return b""
        return self.take()

    def take(self) -> bytes:
        texts, self._texts, self._size = self._texts, [], 0
        self._since = time.monotonic()
        return _encoded("\n".join(texts) + "\n") if texts else b""


def _chunks(data: Any) -> Iterator[bytes]:
    if is_frame(data):
        yield from lines(data)
        return
    buffer = _Buffer()
    for item in data:
        if type(item) is not dict and is_frame(item):
            yield buffer.take()
            yield from lines(item)
        elif chunk := buffer.add(record_text(item)):
            yield chunk
    yield buffer.take()
