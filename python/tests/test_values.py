"""Each type in the table of docs/python.md, as the server has it: in records, and in frames of pandas, polars and
pyarrow, with pyarrow and without."""

import datetime as dt
import enum
import math
import random
import struct
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dbload
from dbload import _frames, _values

BERLIN = dt.timezone(dt.timedelta(hours=2))
UUID = uuid.UUID("0198c0de-0000-7000-8000-00000000cafe")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 3


CASES = [
    ("text", "a\"b\\c\n\t\u0001ü😀", "a\"b\\c\n\t\u0001ü😀"),
    ("text", "", ""),
    ("text", " a ", " a "),
    ("text", None, None),
    ("text", Colour.RED, "red"),
    ("int", Level.LOW, 3),
    ("boolean", True, True),
    ("bigint", 2**63 - 1, 2**63 - 1),
    ("numeric", 2**200 + 1, 2**200 + 1),
    ("numeric", Decimal("12.3400"), Decimal("12.3400")),
    ("numeric", Decimal("1E-30"), Decimal("1E-30")),
    ("numeric", Decimal("NaN"), None),
    ("double precision", 0.1, 0.1),
    ("double precision", -0.0, 0.0),
    ("double precision", 5e-324, 5e-324),
    ("double precision", float("nan"), None),
    ("double precision", float("inf"), float("inf")),
    ("double precision", float("-inf"), float("-inf")),
    ("timestamp", dt.datetime(2024, 2, 29, 1, 2, 3, 456789), dt.datetime(2024, 2, 29, 1, 2, 3, 456789)),
    ("timestamptz", dt.datetime(2024, 1, 1, 2, tzinfo=BERLIN), dt.datetime(2024, 1, 1, 2, tzinfo=BERLIN)),
    ("timestamptz", dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)),
    ("date", dt.date(1999, 12, 31), dt.date(1999, 12, 31)),
    ("time", dt.time(23, 59, 59, 1), dt.time(23, 59, 59, 1)),
    ("interval", dt.timedelta(days=-2, seconds=5, microseconds=7), dt.timedelta(days=-2, seconds=5, microseconds=7)),
    ("uuid", UUID, UUID),
    ("bytea", b"\x00\xff'\\", b"\x00\xff'\\"),
    ("bytea", bytearray(b"a"), b"a"),
    ("jsonb", {"a": [1, None, {"b": Decimal("1.50")}], "c": float("nan")}, {"a": [1, None, {"b": 1.5}], "c": None}),
    ("jsonb", [1, "a"], [1, "a"]),
    ("int[]", [1, None, 3], [1, None, 3]),
    ("text[]", ("a", "b,c"), ["a", "b,c"]),
    ("bigint", np.int64(-5), -5),
    ("numeric", np.uint64(2**64 - 1), 2**64 - 1),
    ("real", np.float32(0.1), pytest.approx(0.1)),
    ("double precision", np.float32(0.1), 0.1),
    ("double precision", np.float64("nan"), None),
    ("boolean", np.bool_(False), False),
    ("text", np.str_("x"), "x"),
    ("timestamp", np.datetime64("2024-01-01T00:00:00.5"), dt.datetime(2024, 1, 1, 0, 0, 0, 500000)),
    ("timestamp", np.datetime64("NaT"), None),
    ("interval", np.timedelta64(90, "m"), dt.timedelta(minutes=90)),
    ("int[]", np.array([1, 2]), [1, 2]),
    ("text", pd.NA, None),
    ("timestamp", pd.NaT, None),
    ("timestamp", pd.Timestamp("2024-01-01 12:00"), dt.datetime(2024, 1, 1, 12)),
    ("timestamptz", pd.Timestamp("2024-01-01 12:00", tz="Europe/Berlin"), dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))),
    ("interval", pd.Timedelta("1 day 00:00:01.5"), dt.timedelta(days=1, seconds=1.5)),
    ("text", pd.Period("2024-01", "M"), "2024-01"),
]


def columns_of(cases):
    return ", ".join(f"c{at} {kind}" for at, (kind, _, _) in enumerate(cases))


def stored(db):
    return [list(row)[1:] for row in db.rows("SELECT * FROM v ORDER BY id")]


def test_values_of_records(db):
    db.run(f"CREATE TABLE v (id int PRIMARY KEY, {columns_of(CASES)})")
    record = {"id": 1} | {f"c{at}": value for at, (_, value, _) in enumerate(CASES)}
    report = dbload.load([record], table="v", dsn=db.url)
    assert report.rows.rejected == 0, report
    (row,) = stored(db)
    for (kind, value, wanted), found in zip(CASES, row):
        assert found == wanted and (wanted is None) == (found is None), (kind, value)


@pytest.fixture(params=["pyarrow", "plain"])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(_frames, "_pyarrow", lambda: None)
    return request.param


def test_values_of_object_columns(db, way):
    db.run(f"CREATE TABLE v (id int PRIMARY KEY, {columns_of(CASES)})")
    frame = pd.DataFrame({"id": [1, 2]})
    for at, (_, value, _) in enumerate(CASES):
        column = np.empty(2, dtype=object)
        column[0] = column[1] = value
        frame[f"c{at}"] = pd.Series(list(column), dtype=object)
    report = dbload.load(frame, table="v", dsn=db.url)
    assert report.rows.rejected == 0, report
    for row in stored(db):
        for (kind, value, wanted), found in zip(CASES, row):
            assert found == wanted, (kind, value)


PANDAS = [
    ("int", pd.Series([1, -2], dtype="int8"), [1, -2]),
    ("numeric", pd.Series([1, 2**64 - 1], dtype="uint64"), [1, 2**64 - 1]),
    ("double precision", pd.Series([0.1, np.nan]), [0.1, None]),
    ("real", pd.Series([0.1, np.inf], dtype="float32"), [pytest.approx(0.1), math.inf]),
    ("double precision", pd.Series([0.1, np.nan], dtype="float32"), [0.1, None]),
    ("boolean", pd.Series([True, False]), [True, False]),
    ("boolean", pd.Series([True, None], dtype="boolean"), [True, None]),
    ("bigint", pd.Series([2**53 + 1, None], dtype="Int64"), [2**53 + 1, None]),
    ("double precision", pd.Series([0.5, None], dtype="Float64"), [0.5, None]),
    ("text", pd.Series(["a\\", None], dtype="string"), ["a\\", None]),
    ("text", pd.Series(["a", None]), ["a", None]),
    ("text", pd.Series(["a", np.nan], dtype="category"), ["a", None]),
    ("int", pd.Series([3, 4], dtype="category"), [3, 4]),
    ("timestamp", pd.Series(pd.to_datetime(["2024-01-01 01:02:03.000004", None])), [dt.datetime(2024, 1, 1, 1, 2, 3, 4), None]),
    ("timestamp", pd.Series(pd.to_datetime(["2024-01-01", "NaT"])).astype("datetime64[s]"), [dt.datetime(2024, 1, 1), None]),
    ("timestamptz", pd.Series(pd.to_datetime(["2024-07-01", None])).dt.tz_localize("Europe/Berlin"), [dt.datetime(2024, 7, 1, tzinfo=BERLIN), None]),
    ("interval", pd.Series(pd.to_timedelta(["-1 day", None])), [dt.timedelta(days=-1), None]),
    ("bigint", pd.Series([1, 2], dtype="int64[pyarrow]"), [1, 2]),
    ("numeric", pd.Series([Decimal("1.50"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))), [Decimal("1.50"), None]),
    ("date", pd.Series([dt.date(2024, 1, 1), None], dtype=pd.ArrowDtype(pa.date32())), [dt.date(2024, 1, 1), None]),
    ("jsonb", pd.Series([{"a": 1}, [2]]), [{"a": 1}, [2]]),
    ("double precision", pd.Series(pd.arrays.SparseArray([0.0, 1.5])), [0.0, 1.5]),
    ("text", pd.Series(pd.PeriodIndex(["2024-01", "2024-02"], freq="M")), ["2024-01", "2024-02"]),
]


def test_dtypes_of_pandas(db, way):
    db.run(f"CREATE TABLE v (id int PRIMARY KEY, {columns_of(PANDAS)})")
    frame = pd.DataFrame({"id": [1, 2]} | {f"c{at}": series for at, (_, series, _) in enumerate(PANDAS)})
    report = dbload.load(frame, table="v", dsn=db.url)
    assert report.rows.rejected == 0, report
    rows = stored(db)
    for at, (kind, series, wanted) in enumerate(PANDAS):
        assert [row[at] for row in rows] == wanted, (kind, series.dtype)


def test_an_index_is_a_column_if_it_has_a_name(db, way):
    db.run("CREATE TABLE v (id int PRIMARY KEY, part text, x int)")
    frame = pd.DataFrame({"id": [1, 2], "x": [3, 4]}, index=[7, 8])
    dbload.load(frame, table="v", dsn=db.url)
    dbload.load(frame.assign(id=[3, 4]).set_index("id"), table="v", dsn=db.url)
    levels = pd.MultiIndex.from_tuples([(5, "a"), (6, "b")], names=["id", "part"])
    dbload.load(pd.DataFrame({"x": [3, 4]}, index=levels), table="v", dsn=db.url)
    assert db.rows("SELECT * FROM v ORDER BY id") == [
        (1, None, 3), (2, None, 4), (3, None, 3), (4, None, 4), (5, "a", 3), (6, "b", 4)]
    with pytest.raises(dbload.SourceError, match="both called 'x'"):
        dbload.load(frame.set_index("x", drop=False), table="v", dsn=db.url)
    with pytest.raises(dbload.SourceError, match="more than one column"):
        dbload.load(pd.DataFrame([[1, 2]], columns=["id", "id"]), table="v", dsn=db.url)
    with pytest.raises(dbload.SourceError, match="'x'.*no form in a table"):
        dbload.load(pd.DataFrame({"id": [1], "x": [object()]}), table="v", dsn=db.url)


POLARS = [
    ("int", pl.Series([1, None], dtype=pl.Int8), [1, None]),
    ("numeric", pl.Series([2**64 - 1, 0], dtype=pl.UInt64), [2**64 - 1, 0]),
    ("double precision", pl.Series([0.1, float("nan")]), [0.1, None]),
    ("real", pl.Series([0.1, None], dtype=pl.Float32), [pytest.approx(0.1), None]),
    ("text", pl.Series(['"', None]), ['"', None]),
    ("text", pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
    ("text", pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), ["a", "b"]),
    ("numeric", pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)), [Decimal("1.50"), None]),
    ("timestamp", pl.Series([dt.datetime(2024, 1, 1, 1), None]), [dt.datetime(2024, 1, 1, 1), None]),
    ("timestamptz", pl.Series([dt.datetime(2024, 7, 1), None]).dt.replace_time_zone("Europe/Berlin"), [dt.datetime(2024, 7, 1, tzinfo=BERLIN), None]),
    ("date", pl.Series([dt.date(1900, 1, 1), None]), [dt.date(1900, 1, 1), None]),
    ("time", pl.Series([dt.time(1, 2, 3, 4), None]), [dt.time(1, 2, 3, 4), None]),
    ("interval", pl.Series([dt.timedelta(days=1, microseconds=1), None]), [dt.timedelta(days=1, microseconds=1), None]),
    ("bytea", pl.Series([b"\x00a", None]), [b"\x00a", None]),
    ("int[]", pl.Series([[1, None], None]), [[1, None], None]),
    ("jsonb", pl.Series([{"a": 1, "b": "x"}, None]), [{"a": 1, "b": "x"}, None]),
    ("boolean", pl.Series([True, None]), [True, None]),
    ("text", pl.Series([None, None]), [None, None]),
]


def test_dtypes_of_polars(db, way):
    db.run(f"CREATE TABLE v (id int PRIMARY KEY, {columns_of(POLARS)})")
    frame = pl.DataFrame({"id": [1, 2]} | {f"c{at}": series for at, (_, series, _) in enumerate(POLARS)})
    report = dbload.load(frame, table="v", dsn=db.url)
    assert report.rows.rejected == 0, report
    rows = stored(db)
    for at, (kind, series, wanted) in enumerate(POLARS):
        assert [row[at] for row in rows] == wanted, (kind, series.dtype)


def test_arrow_streams(db):
    db.run(
        "CREATE TABLE v (id int PRIMARY KEY, big text, day date, at timestamp, span interval, tag uuid, "
        "bin bytea, list int[], code text, n numeric, half real, view text)"
    )
    table = pa.table(
        {
            "id": pa.chunked_array([[1], [2]], pa.int32()),
            "big": pa.array(["a\u0000b".replace("\u0000", "\u0002"), None], pa.large_string()),
            "day": pa.array([dt.date(2024, 1, 1), None], pa.date64()),
            "at": pa.array([1_700_000_000_000_000_000, None], pa.timestamp("ns")),
            "span": pa.array([-1, None], pa.duration("s")),
            "tag": pa.array([UUID.bytes, None], pa.uuid()),
            "bin": pa.array([b"ab", None], pa.binary(2)),
            "list": pa.array([[1, 2], None], pa.large_list(pa.int64())),
            "code": pa.array(["x", None]).dictionary_encode(),
            "n": pa.array([Decimal("1e30"), None], pa.decimal256(60, 0)),
            "half": pa.array([np.float16(1.5), None], pa.float16()),
            "view": pa.array(["v", None], pa.string_view()),
        }
    )
    for data in (table, table.to_reader()):
        report = dbload.load(data, table="v", dsn=db.url)
        assert report.rows.rejected == 0 and report.rows.read == 2, report
    assert stored(db) == [
        ["a\u0002b", dt.date(2024, 1, 1), dt.datetime(2023, 11, 14, 22, 13, 20), dt.timedelta(seconds=-1), UUID,
         b"ab", [1, 2], "x", Decimal(10**30), 1.5, "v"],
        [None] * 11,
    ]


def test_finer_than_microseconds_is_a_reject_and_no_other_value(db, way):
    db.run("CREATE TABLE v (id int PRIMARY KEY, at timestamp)")
    frame = pd.DataFrame({"id": [1, 2], "at": pd.Series([1_700_000_000_000_000_001, 0], dtype="datetime64[ns]")})
    report = dbload.load(frame, table="v", dsn=db.url)
    assert (report.rows.rejected, report.rows.inserted) == (1, 1)


def floats(count, seed):
    rng = random.Random(seed)
    found = [0.0, -0.0, 1e16, 1e17, 123456789012345680.0, 1e22, 1e23, 5e-324, 2.2250738585072014e-308,
             1.7976931348623157e308, 0.1 + 0.2, 100.0, 1e5, 1e-5]
    while len(found) < count:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if math.isfinite(value):
            found.append(value)
    return found


def test_every_finite_float_and_every_integer_arrives_with_its_digits(db, way):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    values = floats(20_000, seed)
    ints = [rng.randrange(-(2**63), 2**63) >> rng.randrange(64) for _ in values]
    db.run("CREATE TABLE v (id int PRIMARY KEY, f double precision, n bigint, d numeric)")
    wanted = {at: struct.pack("<d", value + 0.0) for at, value in enumerate(values)}
    pandas = pd.DataFrame({"id": range(len(values)), "f": values, "n": ints, "d": ints})
    for data in (pandas, pl.DataFrame({"id": range(len(values)), "f": values, "n": ints, "d": ints}),
                 pandas.to_dict("records")):
        db.run("TRUNCATE v")
        assert dbload.load(data, table="v", dsn=db.url).rows.inserted == len(values)
        for at, value, integer, digits in db.rows("SELECT id, f, n, d FROM v"):
            assert struct.pack("<d", value + 0.0) == wanted[at], (at, value, values[at])
            assert integer == ints[at] == digits


def column(array):
    texts, quote = _frames._column(pa, array)
    return [quote + text + quote for text in texts.to_pylist()]


def test_columns_and_values_one_by_one_give_the_same_text():
    seed = random.randrange(2**32)
    print("seed", seed)
    values = floats(5_000, seed) + [math.nan, math.inf, -math.inf]
    texts = column(pa.array(values))
    for value, text in zip(values, texts):
        plain = _values.float_text(value)
        assert text == plain or struct.pack("<d", float(text)) == struct.pack("<d", float(plain)), (value, text)
    strings = ["".join(chr(random.Random(seed + at).randrange(0x250)) for at in range(length)) for length in range(50)]
    assert column(pa.array(strings)) == [_values.quoted(one) for one in strings]


def test_a_frame_goes_over_in_chunks():
    frame = pd.DataFrame({"id": range(100_000), "t": "x" * 100})
    sizes = [len(chunk) for chunk in _frames.lines(frame)]
    assert len(sizes) > 5 and max(sizes) < 4 << 20
    wide = pd.DataFrame(np.zeros((500, 2_000)))
    assert max(len(chunk) for chunk in _frames.lines(wide)) < 16 << 20
    empty = list(_frames.lines(pd.DataFrame({"id": []})))
    assert b"".join(empty) == b""


def test_lone_surrogates_are_handed_over_as_json_has_them(db):
    db.run("CREATE TABLE v (id int PRIMARY KEY, t text)")
    for data in ([{"id": 1, "t": "\ud800"}], pd.DataFrame({"id": [1], "t": pd.Series(["\ud800"], dtype=object)})):
        assert dbload.load(data, table="v", dsn=db.url).rows.rejected == 1
        assert dbload.load(data, table="v", dsn=db.url, on_nul="replace").rows.rejected == 0
    assert db.one("SELECT t FROM v") == "\ufffd"
