"""A Python value as a JSON text that dbload reads without loss: numbers with their digits, instants with their
zone, bytes as `\\x..`. What a database calls null is null: None, NaN, NaT, NA."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

quoted: Callable[[str], str] = json.encoder.encode_basestring
"""A text in quotes."""

NULL = "null"


def text_of(value: Any) -> str:
    """The JSON text of a value.

    Raises:
        TypeError: it has none.
    """
    return _BY_TYPE.get(type(value), _other)(value)


def record_text(record: Any) -> str:
    """The JSON text of a record: a field that is not there is absent, which is not null.

    Raises:
        TypeError: it is no mapping, or a value of it has no text; the error names the field.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"a record must be a dict, not {_name(record)}")
    parts = []
    for key, value in record.items():
        try:
            parts.append(_key(key) + _BY_TYPE.get(type(value), _other)(value))
        except (TypeError, ValueError) as error:
            raise type(error)(f"field {key!r}: {error}") from None
    return "{" + ",".join(parts) + "}"


def float_text(value: float) -> str:
    """The shortest text that is this very number."""
    if math.isfinite(value):
        return float.__repr__(value)
    return NULL if value != value else '"Infinity"' if value > 0 else '"-Infinity"'


def decimal_text(value: decimal.Decimal) -> str:
    if value.is_finite():
        return str(value)
    return NULL if value.is_nan() else '"Infinity"' if value > 0 else '"-Infinity"'


def span_text(days: int, nanoseconds: int) -> str:
    """A span of days and of time in a day, as an interval."""
    sign = "-" if nanoseconds < 0 else ""
    seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
    part = f".{rest:09}".rstrip("0") if rest else ""
    return f'"{days} days {sign}{seconds}{part} seconds"'


def bytes_text(value: bytes | bytearray | memoryview) -> str:
    return '"\\\\x' + bytes(value).hex() + '"'


_KEYS: dict[str, str] = {}
_KEYS_MAX = 10_000
"""Names of fields are few, and asked for with each record; where they are not, they are not kept."""


def _key(key: Any) -> str:
    if type(key) is not str:
        key = _key_text(key)
    known = _KEYS.get(key)
    if known is None:
        known = quoted(key) + ":"
        if len(_KEYS) < _KEYS_MAX:
            _KEYS[key] = known
    return known


def _key_text(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, (str, int)) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"the name of a field must be a text, not {_name(key)}")


def _list(values: Iterable[Any]) -> str:
    return "[" + ",".join([text_of(value) for value in values]) + "]"


def _object(members: Mapping[Any, Any]) -> str:
    return "{" + ",".join([_key(key) + text_of(value) for key, value in members.items()]) + "}"


def _moment(value: Any) -> str:
    # NaT of pandas is a datetime to isinstance, and unequal to itself.
    return '"' + value.isoformat() + '"' if value == value else NULL


def _span(value: Any) -> str:
    if value != value:
        return NULL
    # Of pandas: to the nanosecond, which the base class does not know.
    nanoseconds = getattr(value, "nanoseconds", 0)
    return span_text(value.days, (value.seconds * 1_000_000 + value.microseconds) * 1_000 + nanoseconds)


def _int(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:
        raise TypeError("an integer of more digits than this Python writes") from None


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


_BY_TYPE: dict[type, Callable[[Any], str]] = {
    str: quoted,
    int: _int,
    float: float_text,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: NULL,
    decimal.Decimal: decimal_text,
    datetime.datetime: lambda value: '"' + value.isoformat() + '"',
    datetime.date: lambda value: '"' + value.isoformat() + '"',
    datetime.time: lambda value: '"' + value.isoformat() + '"',
    datetime.timedelta: _span,
    uuid.UUID: lambda value: f'"{value}"',
    bytes: bytes_text,
    bytearray: bytes_text,
    memoryview: bytes_text,
    dict: _object,
    list: _list,
    tuple: _list,
}


_MORE: dict[type, Callable[[Any], str]] = {}
"""What was found out of other types. A program has so many of them."""


def _other(value: Any) -> str:
    """What is none of the plain types: of numpy and pandas, or derived from one of them."""
    kind = type(value)
    if kind not in _MORE:
        _MORE[kind] = _way_of(kind)
    return _MORE[kind](value)


def _way_of(kind: type) -> Callable[[Any], str]:
    module = kind.__module__.partition(".")[0]
    if module == "numpy":
        return _numpy
    if module == "pandas" and kind.__name__ in ("NAType", "NaTType"):
        return lambda _: NULL
    if issubclass(kind, enum.Enum):
        return lambda value: text_of(value.value)
    if issubclass(kind, (datetime.date, datetime.time)):
        return _moment
    for plain in (bool, int, float, str, decimal.Decimal, datetime.timedelta, uuid.UUID, bytes, bytearray):
        if issubclass(kind, plain):
            return _BY_TYPE[plain]
    if issubclass(kind, Mapping):
        return _object
    if issubclass(kind, (list, tuple, set, frozenset)):
        return _list
    return _of_frame if module in ("pandas", "polars", "pyarrow") else _none


def _none(value: Any) -> str:
    raise TypeError(f"a value of {_name(value)} has no form in a table: make a text or a number of it")


def _numpy(value: Any) -> str:
    kind = value.dtype.kind
    if getattr(value, "ndim", 0):
        # Items and not `tolist`: that makes numbers of instants.
        return _list(list(value))
    if kind == "b":
        return "true" if value else "false"
    if kind in "iu":
        return str(int(value))
    if kind == "f":
        return _numpy_float(value)
    if kind in "mM" and str(value) == "NaT":
        return NULL
    if kind == "M":
        return quoted(str(value))
    if kind == "m":
        nanoseconds = int(value.astype("timedelta64[ns]").astype("int64"))
        days, rest = divmod(nanoseconds, 86_400_000_000_000)
        return span_text(days, rest)
    if kind == "U":
        return quoted(str(value))
    if kind == "S":
        return bytes_text(bytes(value))
    if kind == "O":
        return text_of(value.item())
    if kind == "V" and type(value).__name__ == "ndarray":
        return text_of(value.tolist())
    raise TypeError(f"a value of numpy's {value.dtype} has no form in a table")


def _numpy_float(value: Any) -> str:
    """The shortest text that is this number among those of its width: 0.1 of float32 is 0.1."""
    return str(value) if math.isfinite(value) else float_text(float(value))


def _of_frame(value: Any) -> str:
    """A scalar, a series or the like, of pandas, polars or pyarrow."""
    for name in ("as_py", "to_list", "tolist"):
        convert = getattr(value, name, None)
        if convert is not None:
            return text_of(convert())
    return quoted(str(value)) if type(value).__name__ == "Period" else _none(value)
