"""Writes files of columns as others write them, and what they hold as SQL, for tests/columns.rs.

    python tests/columns/write.py FOLDER SEED ROWS

Each NAME.parquet, NAME.arrow, NAME.arrows or NAME.avro has a NAME.sql beside it (or one that is named in names.txt):
a table `expected` of the types that a new table should have, and its rows. Its values are Python's, written by Python:
nothing of dbload is asked.
"""
import datetime as dt
import decimal
import io
import json
import math
import random
import struct
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq

folder, seed, rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
dice = random.Random(seed)
decimal.getcontext().prec = 100
EPOCH = dt.datetime(1970, 1, 1)


def sql(text):
    return "NULL" if text is None else "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def integer(bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return lambda: dice.choice([low, high, 0, 1, dice.randint(low, high), dice.randint(max(low, -99), min(high, 99))])


def float64():
    value = dice.choice([0.1, -0.0, 1e300, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 2.0**53 + 2,
                         123.0, struct.unpack("d", dice.randbytes(8))[0], dice.random()])
    return value


def float32():
    value = struct.unpack("f", dice.randbytes(4))[0]
    return dice.choice([0.10000000149011612, 16777216.0, math.inf, math.nan, 1.401298464324817e-45, value])


def float_text(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def number(precision, scale):
    def value():
        digits = dice.choice([0, 1, 10**precision - 1, dice.randint(0, 10**precision - 1), dice.randint(0, 999)])
        return decimal.Decimal(dice.choice([1, -1]) * digits).scaleb(-scale)
    return value


def text():
    return dice.choice(["", "plain", "a\tb\\c\nd\r", "quote\" and '", "\u00e9\U0001f600", "null", "NULL", "\\N", " blank ",
                        "007", "x" * dice.randint(0, 300), "".join(chr(dice.randint(32, 0x2ff)) for _ in range(9))])


def day():
    return dt.date.fromordinal(dice.choice([1, dt.date.max.toordinal(), 719163, dice.randint(1, 3652059)]))


def moment(places):
    def value():
        micros = dice.choice([0, -1, dice.randint(-62135596800 * 10**6, 253402300799 * 10**6), 999999])
        micros -= micros % 10 ** (6 - places)
        return EPOCH + dt.timedelta(microseconds=micros)
    return value


def clock(places):
    def value():
        micros = dice.choice([0, 86399999999, dice.randint(0, 86399999999)])
        micros -= micros % 10 ** (6 - places)
        return (dt.datetime.min + dt.timedelta(microseconds=micros)).time()
    return value


def nested_json(value):
    return json.dumps(value)


def array(of):
    def text_of(values):
        one = lambda value: "NULL" if value is None else '"' + of(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        return "{" + ",".join(one(value) for value in values) + "}"
    return text_of


def some(of, null=0.2):
    return lambda: [None if dice.random() < null else of() for _ in range(dice.randint(0, 4))]


def within(moment, low, high):
    """Moments that fit into nanoseconds."""
    def value():
        while True:
            found = moment()
            if low <= found.year <= high:
                return found
    return value


def iso(value):
    """Years below 1000 with all their digits."""
    return value.isoformat()


TYPES = [
    # name, type of Arrow, type of PostgreSQL, a value, its text
    ("i8", pa.int8(), "smallint", integer(8, True), str),
    ("i16", pa.int16(), "smallint", integer(16, True), str),
    ("i32", pa.int32(), "integer", integer(32, True), str),
    ("i64", pa.int64(), "bigint", integer(64, True), str),
    ("u8", pa.uint8(), "smallint", integer(8, False), str),
    ("u16", pa.uint16(), "integer", integer(16, False), str),
    ("u32", pa.uint32(), "bigint", integer(32, False), str),
    ("u64", pa.uint64(), "numeric(20,0)", integer(64, False), str),
    ("f32", pa.float32(), "real", float32, float_text),
    ("f64", pa.float64(), "double precision", float64, float_text),
    ("yes", pa.bool_(), "boolean", lambda: dice.random() < 0.5, str),
    ("dec9", pa.decimal128(9, 2), "numeric(9,2)", number(9, 2), str),
    ("dec18", pa.decimal128(18, 18), "numeric(18,18)", number(18, 18), lambda value: format(value, "f")),
    ("dec38", pa.decimal128(38, 10), "numeric(38,10)", number(38, 10), lambda value: format(value, "f")),
    ("dec76", pa.decimal256(76, 20), "numeric(76,20)", number(76, 20), lambda value: format(value, "f")),
    ("day", pa.date32(), "date", day, iso),
    ("wall_ms", pa.timestamp("ms"), "timestamp", moment(3), iso),
    ("wall_us", pa.timestamp("us"), "timestamp", moment(6), iso),
    ("wall_ns", pa.timestamp("ns"), "timestamp", within(moment(6), 1700, 2200), iso),
    ("instant", pa.timestamp("us", tz="Europe/Berlin"), "timestamp with time zone", moment(6),
     lambda value: value.isoformat() + "+00"),
    ("clock_ms", pa.time32("ms"), "time", clock(3), iso),
    ("clock_us", pa.time64("us"), "time", clock(6), iso),
    ("t", pa.string(), "text", text, str),
    ("long_t", pa.large_string(), "text", text, str),
    ("word", pa.dictionary(pa.int32(), pa.string()), "text", lambda: dice.choice(["a", "b\\", "c\td"]), str),
    ("raw", pa.binary(), "bytea", lambda: dice.randbytes(dice.randint(0, 20)), lambda value: "\\x" + value.hex()),
    ("four", pa.binary(4), "bytea", lambda: dice.randbytes(4), lambda value: "\\x" + value.hex()),
    ("id", pa.uuid(), "uuid", lambda: uuid.UUID(bytes=dice.randbytes(16)), str),
    ("ints", pa.list_(pa.int64()), "bigint[]", some(integer(64, True)), array(str)),
    ("texts", pa.list_(pa.string()), "text[]", some(text), array(str)),
    ("decs", pa.list_(pa.decimal128(20, 4)), "numeric(20,4)[]", some(number(20, 4)), array(str)),
    ("lists", pa.list_(pa.list_(pa.int32())), "jsonb", some(some(integer(32, True))), nested_json),
    ("thing", pa.struct([("a", pa.int64()), ("b.c", pa.string()), ("d", pa.list_(pa.float64()))]), "jsonb",
     lambda: {"a": integer(64, True)(), "b.c": text(), "d": [0.5, None, 1e300]}, nested_json),
    ("map", pa.map_(pa.string(), pa.int64()), "jsonb", lambda: {"k": 1, "\u00e9\"": None}, nested_json),
    ("pairs", pa.map_(pa.int64(), pa.string()), "jsonb", lambda: [(1, "x"), (2, None)], nested_json),
]
FLAT = [row for row in TYPES if not pa.types.is_nested(row[1])]


def save(name, columns, values):
    """The rows as SQL."""
    names = ", ".join(f'"{row[0]}"' for row in columns)
    types = ", ".join(f'"{row[0]}" {row[2]}' for row in columns)
    out = io.StringIO()
    out.write(f"CREATE TABLE expected ({types});\n")
    for n in range(rows):
        texts = (sql(None if column[n] is None else row[4](column[n])) for row, column in zip(columns, values))
        out.write(f"INSERT INTO expected ({names}) VALUES ({', '.join(texts)});\n")
    (folder / f"{name}.sql").write_text(out.getvalue())


def make(columns):
    return [[None if dice.random() < 0.15 else row[3]() for _ in range(rows)] for row in columns]


def arrow(columns, values):
    def of(row, column):
        if row[0] == "id":
            storage = pa.array([None if v is None else v.bytes for v in column], pa.binary(16))
            return pa.ExtensionArray.from_storage(pa.uuid(), storage)
        if row[0] == "instant":
            column = [None if v is None else v.replace(tzinfo=dt.timezone.utc) for v in column]
        if row[0] == "map":
            column = [None if v is None else list(v.items()) for v in column]
        return pa.array(column, row[1])
    fields = [pa.field(row[0], row[1]) for row in columns]
    return pa.Table.from_arrays([of(row, column) for row, column in zip(columns, values)], schema=pa.schema(fields))


values = make(TYPES)
table = arrow(TYPES, values)
save("nested", TYPES, values)
pq.write_table(table, folder / "nested.parquet", row_group_size=max(rows // 3, 1), compression="zstd")
pa.feather.write_feather(table, str(folder / "nested.arrow"), compression="lz4", chunksize=max(rows // 3, 1))

values = make(FLAT)
table = arrow(FLAT, values)
save("flat", FLAT, values)
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(table, folder / f"flat.{codec}.parquet", row_group_size=max(rows // 2, 1), compression=codec,
                   write_page_checksum=True, data_page_version="2.0" if codec == "snappy" else "1.0",
                   use_dictionary=codec != "gzip")
for codec in [None, "zstd", "lz4"]:
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.OSFile(str(folder / f"flat.{codec}.arrows"), "wb") as file:
        with pa.ipc.new_stream(file, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=max(rows // 3, 1))

try:
    import duckdb
except ImportError:
    duckdb = None
if duckdb:
    DUCK = {"i8": "TINYINT", "i16": "SMALLINT", "i32": "INTEGER", "i64": "BIGINT", "f64": "DOUBLE", "yes": "BOOLEAN",
            "dec9": "DECIMAL(9,2)", "dec38": "DECIMAL(38,10)", "day": "DATE", "wall_us": "TIMESTAMP", "t": "VARCHAR",
            "raw": "BLOB", "ints": "BIGINT[]", "texts": "VARCHAR[]"}
    of_duck = [row for row in TYPES if row[0] in DUCK]
    values = make(of_duck)
    save("duckdb", of_duck, values)
    db = duckdb.connect()
    db.execute("CREATE TABLE t (" + ", ".join(f"{name} {kind}" for name, kind in
                                              ((row[0], DUCK[row[0]]) for row in of_duck)) + ")")
    marks = ", ".join("?" * len(of_duck))
    db.executemany(f"INSERT INTO t VALUES ({marks})", list(zip(*values)))
    db.execute(f"COPY t TO '{folder}/duckdb.parquet' (FORMAT parquet, COMPRESSION snappy)")

try:
    import fastavro
except ImportError:
    fastavro = None
if fastavro:
    def logical(of, name, **more):
        return {"type": of, "logicalType": name, **more}

    AVRO = [
        ("i32", "int", "integer", integer(32, True), str),
        ("i64", "long", "bigint", integer(64, True), str),
        ("f32", "float", "real", float32, float_text),
        ("f64", "double", "double precision", float64, float_text),
        ("yes", "boolean", "boolean", lambda: dice.random() < 0.5, str),
        ("t", "string", "text", text, str),
        ("raw", "bytes", "bytea", lambda: dice.randbytes(dice.randint(0, 9)), lambda value: "\\x" + value.hex()),
        ("dec", logical("bytes", "decimal", precision=30, scale=6), "numeric(30,6)", number(30, 6),
         lambda value: format(value, "f")),
        ("id", logical("string", "uuid"), "uuid", lambda: uuid.UUID(bytes=dice.randbytes(16)), str),
        ("day", logical("int", "date"), "date", day, iso),
        ("clock", logical("long", "time-micros"), "time", clock(6), iso),
        ("wall", logical("long", "local-timestamp-micros"), "timestamp", moment(6), iso),
        ("instant", logical("long", "timestamp-micros"), "timestamp with time zone", moment(6),
         lambda value: value.isoformat() + "+00"),
        ("word", {"type": "enum", "name": "word", "symbols": ["A", "B"]}, "text", lambda: dice.choice("AB"), str),
        ("ints", {"type": "array", "items": "long"}, "bigint[]", some(integer(64, True), 0), array(str)),
        ("map", {"type": "map", "values": "long"}, "jsonb", lambda: {"k": 1, "\u00e9": 2}, nested_json),
        ("thing", {"type": "record", "name": "thing", "fields": [{"name": "a", "type": ["null", "long"]}]}, "jsonb",
         lambda: {"a": dice.choice([None, 1])}, nested_json),
    ]
    schema = {"type": "record", "name": "r", "fields": [
        {"name": row[0], "type": ["null", row[1]], "default": None} for row in AVRO]}
    values = make(AVRO)
    save("avro", AVRO, values)

    def of(row, value):
        if value is not None and row[0] == "instant":
            return value.replace(tzinfo=dt.timezone.utc)
        return value
    records = [{row[0]: of(row, column[n]) for row, column in zip(AVRO, values)} for n in range(rows)]
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]:
        try:
            with open(folder / f"avro.{codec}.avro", "wb") as file:
                fastavro.writer(file, fastavro.parse_schema(schema), records, codec=codec, sync_interval=2000)
        except ValueError as missing:
            print(missing)
            (folder / f"avro.{codec}.avro").unlink(missing_ok=True)
