"""What can go wrong, by what one can do about it. Each error has a `hint`, says whether the same call goes on
(`resumable`), and has the `report` of what is in the database all the same, where there was a run."""

from __future__ import annotations

from ._report import Report


class Error(Exception):
    """A load that did not come to a good end. On its own: a defect, or an end without a reason."""

    hint: str | None
    """What can be done about it, in words."""
    resumable: bool
    """The same call goes on where this one ended or, with a key, puts right what is not done yet."""
    report: Report | None
    """What is in the database; `None` where nothing was begun."""
    code: int | None
    """The exit code of the program; negative: the signal that ended it."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        resumable: bool = False,
        report: Report | None = None,
        code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.resumable = resumable
        self.report = report
        self.code = code

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\nhint: {self.hint}" if self.hint else message


class UsageError(Error, ValueError):
    """The call says what cannot be: an option that is not there, two that exclude each other."""


class SourceError(Error):
    """The data could not be read to its end: a file, a URL, a generator that raised, a value that has no
    form in a table. What came before is committed."""


class DatabaseError(Error):
    """The database failed, or cannot be reached."""


class UnknownOutcome(DatabaseError):
    """The database was lost in a moment when nobody knows whether the last batch is committed."""


class SchemaError(Error):
    """Table, columns, key or rights do not allow the load: refused before the first row."""


class LedgerError(Error):
    """The ledger does not let it run: it is running elsewhere, or was loaded already, or with other options.
    The hint says which option helps."""


class TooManyRejects(Error):
    """More records were rejected than `max_rejects` allows."""


class Interrupted(Error):
    """It was stopped from outside."""


BY_CODE: dict[int, type[Error]] = {
    2: UsageError,
    4: SourceError,
    5: DatabaseError,
    6: SchemaError,
    7: UnknownOutcome,
    8: LedgerError,
    9: TooManyRejects,
    130: Interrupted,
    143: Interrupted,
}

GOES_ON = frozenset({4, 5, 7, 9, 130, 143})
"""Exit codes behind which the same command goes on."""
