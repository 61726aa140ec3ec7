"""Options of a call as flags of the program. Each flag is an option: `--newer-by` is `newer_by`."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from typing import Any, Union

from ._errors import UsageError

Option = Union[None, bool, int, float, str, "os.PathLike[str]", datetime.timedelta, Iterable[Any]]
"""A value of a flag: `True` gives it, `None` and `False` leave it out, a list gives it several times."""

_OURS = {
    "json": "the report is what is returned",
    "quiet": "what the program says goes to the logger 'dbload'",
    "log_format": "what the program says goes to the logger 'dbload'",
    "no_progress": "no progress is shown",
    "dry_run": "run the program for it: dbload SOURCE --dry-run",
}
"""Flags that a call has no use for, and why."""

_MAY_BE_SECRET = frozenset(
    """body bearer_command client_id client_secret each_dsn form header proxy refresh_token secret_body
    secret_param user""".split()
)
"""Handed over in the environment, for everybody on the machine can read the arguments of a process."""


def arguments(options: Mapping[str, Option]) -> tuple[list[str], dict[str, str]]:
    """The arguments of the program, and the variables of its environment.

    Raises:
        UsageError: an option that a call does not have.
    """
    words: list[str] = []
    variables: dict[str, str] = {}
    for name, value in options.items():
        if name in _OURS:
            raise UsageError(f"{name} is no option of a call: {_OURS[name]}")
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(flag)
            continue
        texts = [_text(name, one) for one in _several(value)]
        if name in _MAY_BE_SECRET:
            variables["DBLOAD_" + name.upper()] = "\n".join(texts)
        else:
            words.extend(f"{flag}={text}" for text in texts)
    return words, variables


def dsn_text(dsn: Any) -> str:
    """A connection string: a text, or a URL or engine of SQLAlchemy, with its password."""
    url = getattr(dsn, "url", dsn)
    shown = getattr(url, "render_as_string", None)
    if shown is not None:
        return str(shown(hide_password=False))
    if isinstance(url, str):
        return url
    raise UsageError(f"dsn must be a text or an engine of SQLAlchemy, not {type(dsn).__name__}")


def _several(value: Any) -> Iterable[Any]:
    if isinstance(value, (str, os.PathLike)) or not isinstance(value, Iterable):
        return [value]
    return value


def _text(name: str, value: Any) -> str:
    if isinstance(value, datetime.timedelta):
        milliseconds, rest = divmod(value, datetime.timedelta(milliseconds=1))
        if rest or milliseconds < 0:
            raise UsageError(f"{name} must be a span of whole milliseconds, not {value}")
        return f"{milliseconds}ms"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, os.PathLike):
        return str(value)
    raise UsageError(f"{name} must be a text or a number, not {type(value).__name__}")
