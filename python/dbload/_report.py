"""The report of a load, as the program prints it (docs/report.md has what each field means)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Rows:
    """The books: `read` is the sum of all others."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    deduplicated: int = 0
    skipped: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Source:
    """What became of one source."""

    name: str
    state: str
    bytes: int = 0
    read: int = 0
    rejected: int = 0
    retries: int = 0
    error: str | None = None
    doubtful: bool = False


@dataclass(frozen=True)
class Reason:
    """A kind of reject: how often, and where first."""

    sqlstate: str
    count: int
    first: str
    column: str | None = None
    constraint: str | None = None


@dataclass(frozen=True)
class Rejects:
    """Records that the table does not hold: the file that has them, and why."""

    file: str | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a load came to. `raw` has all that the program said, also what is newer than this package."""

    run: str
    table: str
    database: str
    mode: str
    guarantee: str
    complete: bool
    attempts: int
    rows: Rows
    sources: tuple[Source, ...]
    rejects: Rejects
    elapsed_seconds: float
    rows_per_second: float
    bottleneck: str | None = None
    ignored_fields: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Report:
        """The report in what the program printed."""
        rejects = said.get("rejects") or {}
        return _known(
            cls,
            said,
            rows=_known(Rows, said["rows"]),
            sources=tuple(_known(Source, source) for source in said.get("sources", ())),
            rejects=Rejects(
                file=rejects.get("file"),
                reasons=tuple(_known(Reason, reason) for reason in rejects.get("reasons", ())),
            ),
            raw=dict(said),
        )


def _known(cls: type[T], said: Mapping[str, Any], **given: Any) -> T:
    """An instance of what is known; fields that a newer program adds are passed over."""
    names = {one.name for one in dataclasses.fields(cls)} - given.keys()  # type: ignore[arg-type]
    return cls(**{name: said[name] for name in names if name in said}, **given)
