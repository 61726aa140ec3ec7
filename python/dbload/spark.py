"""A DataFrame of Spark into PostgreSQL, upserted: Spark shuffles by key, each task hands its rows to dbload.

A key belongs to one task, so that its records arrive in the order that `order_by` says, whatever Spark does side by
side. A task that is tried again, or twice at once, writes the same rows again, which the key makes harmless; an append
would have them twice, and is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import UsageError
from ._load import load
from ._options import Option, dsn_text
from ._report import Report, Rows


@dataclass(frozen=True)
class SparkReport:
    """What a write came to: the books of the attempts that Spark has taken, and each of their reports. What an attempt
    that died had committed already is `unchanged` to the next one."""

    rows: Rows
    reports: tuple[Report, ...]


def write(
    df: Any,
    table: str,
    key: str | Sequence[str],
    *,
    order_by: Any = None,
    partitions: int | None = None,
    dsn: Any = None,
    **options: Option,
) -> SparkReport:
    """Upserts a DataFrame.

    `order_by` is a column, or several, that say which of two records of a key comes last; `newer_by="column"` holds
    against what is stored too, and against a task of an earlier write that is late. `partitions` tasks write side by
    side (as many as the DataFrame has), each with `pool_size` connections (1). `dsn` goes to the workers in the task
    itself; without it the environment of the workers says where the database is. dbload must be installed there.

    Raises:
        UsageError: an append.
        Exception: Spark's own, when a task has failed as often as it may; the reason of dbload is in its text.
    """
    if options.get("mode") in ("append", "ignore"):
        raise UsageError(
            f"mode={options['mode']!r}: what a task has written stays when it is tried again",
            hint="upsert by a key, or write files and load those",
        )
    keys = [key] if isinstance(key, str) else list(key)
    count = partitions or df.rdd.getNumPartitions()
    shuffled = df.repartition(count, *keys)
    if order_by is not None:
        columns = [order_by] if isinstance(order_by, str) or not isinstance(order_by, Iterable) else list(order_by)
        shuffled = shuffled.sortWithinPartitions(*columns)
    settings: dict[str, Any] = {"pool_size": 1, **options}
    url = None if dsn is None else dsn_text(dsn)

    def task(rows: Iterator[Any]) -> Iterator[dict[str, Any]]:
        records = (row.asDict(recursive=True) for row in rows)
        first = next(records, None)
        if first is None:
            return
        report = load(_with(first, records), table=table, key=keys, dsn=url, **settings)
        yield dict(report.raw)

    reports = tuple(Report.of(said) for said in shuffled.rdd.mapPartitions(task).collect())
    names = [field.name for field in dataclasses.fields(Rows)]
    sums = {name: sum(getattr(report.rows, name) for report in reports) for name in names}
    return SparkReport(Rows(**sums), reports)


def _with(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
