"""Frames and Arrow streams as lines of JSON, chunk by chunk: memory is that of a chunk, whatever the frame.

Where pyarrow is there, whole columns are made texts at once; otherwise value by value, with the same result."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ._values import NULL, bytes_text, quoted, span_text, text_of

CHUNK_ROWS = 16_384
CHUNK_CELLS = 400_000
"""A chunk has fewer rows where there are many columns."""

_MUST_BE_ESCAPED = bytes(range(32)) + b'"\\'
_CONTROL = re.compile("[\x00-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DAY_NS = 86_400_000_000_000


def is_frame(data: Any) -> bool:
    """Columns with names, of pandas, polars, or whatever has an Arrow stream."""
    return _is_pandas(data) or hasattr(data, "__arrow_c_stream__")


def lines(frame: Any) -> Iterator[bytes]:
    """Its rows as lines of JSON, some thousands at a time.

    Raises:
        TypeError: a value has no form in a table; the error names its column.
        ImportError: it takes pyarrow to read it, which is not there.
    """
    if _is_pandas(frame):
        return _pandas_lines(frame)
    pa = _pyarrow()
    if pa is not None:
        return _arrow_lines(pa, frame)
    if type(frame).__module__.partition(".")[0] == "polars" and hasattr(frame, "iter_slices"):
        return _polars_lines(frame)
    raise ImportError(f"pyarrow reads {type(frame).__name__}: pip install pyarrow")


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and type(data).__name__ == "DataFrame" or any(
        base.__module__.partition(".")[0] == "pandas" and base.__name__ == "DataFrame"
        for base in type(data).__mro__
    )


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError:
        return None
    return pyarrow


def _rows_of(columns: int) -> int:
    return max(64, min(CHUNK_ROWS, CHUNK_CELLS // max(columns, 1)))


def _heads(names: Sequence[Any]) -> list[str]:
    """What stands before each value of a row.

    Raises:
        ValueError: two columns have one name.
    """
    texts = [name if isinstance(name, str) else _name_text(name) for name in names]
    twice = {name for name in texts if texts.count(name) > 1} if len(set(texts)) < len(texts) else None
    if twice:
        raise ValueError(f"more than one column is called {sorted(twice)[0]!r}")
    return [("{" if at == 0 else ",") + quoted(name) + ":" for at, name in enumerate(texts)]


def _name_text(name: Any) -> str:
    if isinstance(name, (tuple, list)) or name is None:
        raise TypeError(f"the name of a column must be a text, not {name!r}")
    return str(name)


# Value by value.


def _plain_lines(heads: Sequence[str], columns: Sequence[Sequence[str]], rows: int) -> bytes:
    if not heads:
        return b"{}\n" * rows
    parts = [[head + text for text in texts] for head, texts in zip(heads, columns)]
    return _encoded("".join(["".join(row) + "}\n" for row in zip(*parts)]))


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _without_surrogates(text).encode()


def _without_surrogates(text: str) -> str:
    """UTF-8 does not have them; JSON writes them as escapes."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _array(pa: Any, texts: Sequence[str]) -> Any:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([_without_surrogates(text) for text in texts], pa.string())


def _texts(name: Any, values: Sequence[Any]) -> list[str]:
    try:
        return [text_of(value) for value in values]
    except (TypeError, ValueError) as error:
        raise type(error)(f"column {name!r}: {error}") from None


def _polars_lines(frame: Any) -> Iterator[bytes]:
    heads = _heads(frame.columns)
    for part in frame.iter_slices(_rows_of(len(heads))):
        columns = [_texts(name, part[name].to_list()) for name in part.columns]
        yield _plain_lines(heads, columns, part.height)


# pandas.


def _pandas_lines(frame: Any) -> Iterator[bytes]:
    levels = [level for level, name in enumerate(frame.index.names) if name is not None]
    index = [frame.index.names[level] for level in levels]
    taken = [name for name in index if name in frame.columns]
    if taken:
        raise ValueError(f"the index and a column are both called {taken[0]!r}: rename one, or drop it")
    names = [*index, *frame.columns]
    heads = _heads(names)
    rows = _rows_of(len(heads))
    pa = _pyarrow()
    for start in range(0, len(frame), rows):
        part = frame.iloc[start : start + rows]
        series = [part.index.get_level_values(level).to_series() for level in levels]
        series += [part.iloc[:, at] for at in range(part.shape[1])]
        arrays = [_pandas_array(pa, one) for one in series] if pa is not None else [None] * len(series)
        if any(array is not None for array in arrays):
            texts = [
                array if array is not None else (_array(pa, _texts(name, _pandas_values(one))), "")
                for name, one, array in zip(names, series, arrays)
            ]
            yield _joined(pa, heads, texts)
        else:
            columns = [_texts(name, _pandas_values(one)) for name, one in zip(names, series)]
            yield _plain_lines(heads, columns, len(part))


def _pandas_values(series: Any) -> list[Any]:
    kind = getattr(series.dtype, "kind", "O")
    if kind == "f" and series.dtype.name == "float32":
        # As float64 they would have digits that they do not have.
        return list(series.to_numpy())
    return list(series.tolist()) if not _is_categorical(series) else list(series.astype(object))


def _is_categorical(series: Any) -> bool:
    return str(series.dtype) == "category"


def _pandas_array(pa: Any, series: Any) -> Texts | None:
    """The texts of a column at once; `None` where its values must be looked at one by one."""
    import pandas

    dtype = series.dtype
    if str(dtype) == "object" and pandas.api.types.infer_dtype(series, skipna=True) != "string":
        return None
    try:
        array = pa.array(series, from_pandas=True)
        return _column(pa, array)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, _OneByOne):
        return None


# Arrow.

Texts = tuple[Any, str]
"""An Arrow array of texts, and the quote that stands around each of them."""

_SMALL_BYTES = 1 << 29
"""Texts of a chunk that certainly fit into one array with short offsets."""


class _OneByOne(Exception):
    """There is no way to make texts of all values at once."""


def _arrow_lines(pa: Any, source: Any) -> Iterator[bytes]:
    reader = pa.RecordBatchReader.from_stream(source)
    names = reader.schema.names
    heads = _heads(names)
    rows = _rows_of(len(heads))
    for batch in reader:
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            if not heads:
                yield b"{}\n" * part.num_rows
                continue
            yield _joined(pa, heads, [_arrow_texts(pa, name, part.column(at)) for at, name in enumerate(names)])


def _arrow_texts(pa: Any, name: str, array: Any) -> Texts:
    try:
        return _column(pa, array)
    except (_OneByOne, pa.ArrowNotImplementedError):
        return _array(pa, _texts(name, _arrow_values(pa, array))), ""


def _arrow_values(pa: Any, array: Any) -> list[Any]:
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind):
        raise _OneByOne
    if pa.types.is_map(kind):
        return [None if pairs is None else dict(pairs) for pairs in array.to_pylist()]
    return list(array.to_pylist())


def _joined(pa: Any, heads: Sequence[str], columns: Sequence[Any]) -> bytes:
    """The rows, one a line: the bytes of one Arrow array of texts."""
    pieces: list[Any] = []
    tail = ""
    for head, (texts, quote) in zip(heads, columns):
        pieces += [tail + head + quote, texts]
        tail = quote
    pieces += [tail + "}\n", ""]
    if sum(texts.nbytes for texts, _ in columns) < _SMALL_BYTES:
        rows = pa.compute.binary_join_element_wise(*pieces)
        offsets = memoryview(rows.buffers()[1]).cast("i")
    else:
        large = pa.large_string()
        pieces = [pa.scalar(one, large) if isinstance(one, str) else one.cast(large) for one in pieces]
        rows = pa.compute.binary_join_element_wise(*pieces)
        offsets = memoryview(rows.buffers()[1]).cast("q")
    start, end = offsets[rows.offset], offsets[rows.offset + len(rows)]
    return bytes(memoryview(rows.buffers()[2])[start:end])


def _column(pa: Any, array: Any) -> Texts:
    """The JSON texts of a column, without a null, and what is still to be put around each."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    texts, quote = _column_texts(pa, array)
    if not texts.null_count:
        return texts, quote
    if quote:
        texts = pa.compute.binary_join_element_wise(quote, texts, quote, "")
    return texts.fill_null(NULL), ""


def _column_texts(pa: Any, array: Any) -> Texts:
    types, kind = pa.types, array.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            import uuid

            values = (None if value is None else uuid.UUID(bytes=value) for value in array.storage.to_pylist())
            return pa.array([text_of(value) for value in values], pa.string()), ""
        if kind.extension_name == "arrow.bool8":
            return array.storage.cast(pa.bool_()).cast(pa.string()), ""
        if kind.extension_name.startswith("pandas."):
            raise _OneByOne
        return _column_texts(pa, array.storage)
    if types.is_null(kind):
        return pa.array([NULL] * len(array), pa.string()), ""
    if types.is_dictionary(kind):
        texts, quote = _column(pa, array.dictionary)
        return texts.take(array.indices), quote
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_decimal(kind):
        return array.cast(pa.string()), ""
    if types.is_floating(kind):
        return _float_texts(pa, array), ""
    if types.is_string(kind) or types.is_large_string(kind) or getattr(types, "is_string_view", _never)(kind):
        return _string_texts(pa, array.cast(pa.string()))
    if types.is_date(kind):
        return array.cast(pa.date32()).cast(pa.string()), '"'
    if types.is_time(kind):
        return _in_microseconds(pa, array, pa.time64).cast(pa.string()), '"'
    if types.is_timestamp(kind):
        zone = kind.tz
        array = _in_microseconds(pa, array, pa.timestamp)
        texts = array.cast(pa.timestamp(array.type.unit)).cast(pa.string())
        if zone is not None:
            texts = pa.compute.binary_join_element_wise(texts, "+00:00", "")
        return texts, '"'
    if types.is_duration(kind):
        return _duration_texts(pa, array), ""
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.array([None if one is None else bytes_text(one) for one in array.to_pylist()], pa.string()), ""
    if types.is_interval(kind):
        return pa.array([_interval_text(one) for one in array.to_pylist()], pa.string()), ""
    raise _OneByOne


def _never(_: Any) -> bool:
    return False


def _in_microseconds(pa: Any, array: Any, kind: Any) -> Any:
    """Finer than PostgreSQL's microseconds only where a value is."""
    if array.type.unit != "ns":
        return array
    coarser = kind("us", array.type.tz) if array.type.id == pa.timestamp("ns").id else kind("us")
    try:
        return array.cast(coarser)
    except pa.ArrowInvalid:
        return array


def _float_texts(pa: Any, array: Any) -> Any:
    pc = pa.compute
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    texts = array.cast(pa.string())
    finite = pc.is_finite(array)
    if pc.all(finite).as_py() is not False:
        return texts
    sign = pc.if_else(pc.less(array, 0), '"-Infinity"', '"Infinity"')
    return pc.if_else(pc.fill_null(finite, True), texts, pc.if_else(pc.is_nan(array), NULL, sign))


def _string_texts(pa: Any, array: Any) -> Texts:
    pc = pa.compute
    if _needs_escapes(array):
        if any(_CONTROL.search(one) for one in array.to_pylist() if one):
            return pa.array([None if one is None else quoted(one) for one in array.to_pylist()], pa.string()), ""
        array = pc.replace_substring(array, "\\", "\\\\")
        array = pc.replace_substring(array, '"', '\\"')
    return array, '"'


def _needs_escapes(array: Any) -> bool:
    content = array.buffers()[2]
    if content is None or not len(array):
        return False
    offsets = memoryview(array.buffers()[1]).cast("i")
    text = bytes(memoryview(content)[offsets[array.offset] : offsets[array.offset + len(array)]])
    return len(text.translate(None, _MUST_BE_ESCAPED)) != len(text)


def _duration_texts(pa: Any, array: Any) -> Any:
    per_unit = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}[array.type.unit]
    spans: list[str | None] = []
    for count in array.cast(pa.int64()).to_pylist():
        if count is None:
            spans.append(None)
        else:
            days, rest = divmod(count * per_unit, _DAY_NS)
            spans.append(span_text(days, rest))
    return pa.array(spans, pa.string())


def _interval_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime.timedelta):
        return text_of(value)
    months, days, nanoseconds = value
    return f'"{months} months ' + span_text(days, nanoseconds)[1:]
