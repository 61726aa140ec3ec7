"""Loads files, frames and generators into PostgreSQL: parallel upserts, resumable, with books that balance.

`load` is the way in, `aload` the same for asyncio, `loader` for records that come one by one. The work is done
by the program dbload, which is installed beside this package; `find_program` says where."""

from ._errors import (
    DatabaseError,
    Error,
    Interrupted,
    LedgerError,
    SchemaError,
    SourceError,
    TooManyRejects,
    UnknownOutcome,
    UsageError,
)
from ._load import Data, Loader, aload, load, loader
from ._program import find_program
from ._report import Reason, Rejects, Report, Rows, Source

__all__ = [
    "Data",
    "DatabaseError",
    "Error",
    "Interrupted",
    "LedgerError",
    "Loader",
    "Reason",
    "Rejects",
    "Report",
    "Rows",
    "SchemaError",
    "Source",
    "SourceError",
    "TooManyRejects",
    "UnknownOutcome",
    "UsageError",
    "aload",
    "find_program",
    "load",
    "loader",
]
