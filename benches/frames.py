#!/usr/bin/env python3
"""frames.py [ROWS]: a frame of orders, upserted by dbload and by what people use else: seconds, rows a second, and
whether the table is right. `dbload local run -- python benches/frames.py` with pandas, pyarrow, sqlalchemy, psycopg,
asyncpg, adbc-driver-postgresql and pangres; what is missing is left out.

Half of the rows are stored before, a tenth of those with another comment; each way begins with the same table."""

import asyncio
import io
import os
import resource
import statistics
import sys
import tempfile
import time

import dbload
import numpy as np
import pandas as pd
import psycopg

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
ROUNDS = int(os.environ.get("ROUNDS", "3"))
ONLY = os.environ.get("ONLY", "")
URL = os.environ["DATABASE_URL"]
COLUMNS = """o_orderkey bigint PRIMARY KEY, o_custkey bigint NOT NULL, o_orderstatus text NOT NULL,
    o_totalprice double precision NOT NULL, o_orderdate timestamp NOT NULL, o_orderpriority text NOT NULL,
    o_clerk text NOT NULL, o_shippriority int NOT NULL, o_comment text NOT NULL"""


def orders(rows: int) -> pd.DataFrame:
    """Like those of TPC-H: sparse keys in order, few customers, a comment of six words."""
    rng = np.random.default_rng(1)
    at = np.arange(rows)
    words = np.array("blithely final ideas cajole carefully special pending requests sleep quickly regular "
                     "deposits haggle furiously express accounts".split())
    return pd.DataFrame({
        "o_orderkey": at // 8 * 32 + at % 8 + 1,
        "o_custkey": rng.integers(1, 150_000, rows),
        "o_orderstatus": np.array(["F", "O", "P"])[rng.integers(0, 3, rows)],
        "o_totalprice": rng.integers(90_000, 50_000_000, rows) / 100,
        "o_orderdate": pd.Timestamp("1992-01-01") + pd.to_timedelta(rng.integers(0, 2405, rows), unit="D"),
        "o_orderpriority": np.array(["1-URGENT", "2-HIGH", "3-MEDIUM", "5-LOW"])[rng.integers(0, 4, rows)],
        "o_clerk": np.char.add("Clerk#", np.char.zfill(rng.integers(1, 1_000, rows).astype(str), 9)),
        "o_shippriority": np.zeros(rows, dtype="int32"),
        "o_comment": [" ".join(words[one]) for one in rng.integers(0, len(words), (rows, 6))],
    })


FRAME = WHOLE = orders(ROWS)
NAMES = list(FRAME.columns)
SLOW_ROWS = int(os.environ.get("SLOW_ROWS", "20000"))
"""Of these the slow ways get the first: a million would take them half an hour, and their rate is the same."""
SLOW = ("pandas to_sql(method=upsert)", "pangres")
SET = ", ".join(f"{name} = EXCLUDED.{name}" for name in NAMES[1:])
UPSERT = f"ON CONFLICT (o_orderkey) DO UPDATE SET {SET}"


def execute(*statements: str) -> None:
    with psycopg.connect(URL, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def begin() -> None:
    """Half of it stored, a tenth of that with another comment."""
    execute("DROP TABLE IF EXISTS orders, staging", f"CREATE TABLE orders ({COLUMNS})")
    half = FRAME.iloc[::2].copy()
    half.iloc[::10, half.columns.get_loc("o_comment")] = "another"
    buffer = io.BytesIO()
    half.to_csv(buffer, index=False, header=False)
    with psycopg.connect(URL) as connection, connection.cursor().copy("COPY orders FROM STDIN (FORMAT csv)") as copy:
        copy.write(buffer.getvalue())
    execute("VACUUM ANALYZE orders", "CHECKPOINT")


def right() -> bool:
    """The table has the frame's rows."""
    with psycopg.connect(URL) as connection:
        count, comments, price = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE o_comment = 'another'), sum(o_totalprice * 100)::numeric(30,0) FROM orders"
        ).fetchone()
    return (count, comments) == (len(FRAME), 0) and int(price) == int(round(FRAME.o_totalprice * 100).sum())


def by_dbload():
    dbload.load(FRAME, table="orders", key="o_orderkey", dsn=URL)


def by_dbload_of_csv():
    dbload.load(CSV, table="orders", key="o_orderkey", dsn=URL)


def by_to_sql():
    from sqlalchemy import create_engine
    from sqlalchemy.dialects.postgresql import insert

    def upsert(table, connection, keys, rows):
        # The usual recipe of the documentation of pandas.
        statement = insert(table.table).values([dict(zip(keys, row)) for row in rows])
        others = {column.name: column for column in statement.excluded if column.name != "o_orderkey"}
        connection.execute(statement.on_conflict_do_update(index_elements=["o_orderkey"], set_=others))

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(URL))
    FRAME.to_sql("orders", engine, if_exists="append", index=False, method=upsert, chunksize=5_000)


def by_psycopg_copy():
    with psycopg.connect(URL) as connection:
        connection.execute("CREATE TEMP TABLE s (LIKE orders) ON COMMIT DROP")
        with connection.cursor().copy("COPY s FROM STDIN") as copy:
            for row in FRAME.itertuples(index=False):
                copy.write_row(row)
        connection.execute(f"INSERT INTO orders SELECT * FROM s {UPSERT}")


def by_asyncpg():
    import asyncpg

    async def work():
        connection = await asyncpg.connect(URL_OF_ASYNCPG, **OF_ASYNCPG)
        values = ", ".join(f"${at + 1}" for at in range(len(NAMES)))
        rows = [tuple(row) for row in FRAME.itertuples(index=False)]
        await connection.executemany(f"INSERT INTO orders VALUES ({values}) {UPSERT}", rows)
        await connection.close()

    asyncio.run(work())


def by_adbc():
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(URL) as connection:
        with connection.cursor() as cursor:
            import pyarrow as pa

            cursor.adbc_ingest("staging", pa.Table.from_pandas(FRAME, preserve_index=False), mode="create")
            cursor.execute(f"INSERT INTO orders SELECT * FROM staging {UPSERT}")
        connection.commit()


def by_pangres():
    from pangres import upsert
    from sqlalchemy import create_engine

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(URL))
    upsert(con=engine, df=FRAME.set_index("o_orderkey"), table_name="orders", if_row_exists="update", chunksize=5_000)


CSV = os.path.join(tempfile.gettempdir(), f"orders-{ROWS}.csv")
FRAME.to_csv(CSV, index=False)
PARTS = psycopg.conninfo.conninfo_to_dict(URL)
OF_ASYNCPG = {"host": PARTS.get("host"), "port": PARTS.get("port"), "user": PARTS.get("user"), "database": PARTS.get("dbname")}
URL_OF_ASYNCPG = None

WAYS = {
    "dbload.load(frame)": by_dbload,
    "dbload.load(csv)": by_dbload_of_csv,
    "psycopg 3 COPY, merge": by_psycopg_copy,
    "ADBC ingest, merge": by_adbc,
    "asyncpg executemany": by_asyncpg,
    "pandas to_sql(method=upsert)": by_to_sql,
    "pangres": by_pangres,
}


def measure() -> None:
    global FRAME
    print(f"| {ROWS:,} rows | seconds (median of {ROUNDS}) | rows a second | table |")
    print("|---|---|---|---|")
    for name, way in WAYS.items():
        if ONLY and ONLY not in name:
            continue
        taken = []
        verdict = "right"
        FRAME = WHOLE.iloc[:SLOW_ROWS] if name in SLOW else WHOLE
        for _ in range(ROUNDS):
            begin()
            start = time.monotonic()
            try:
                way()
            except ImportError as missing:
                verdict = f"left out: {missing}"
                break
            except Exception as error:
                verdict = f"failed: {type(error).__name__}: {str(error)[:120]}"
                break
            taken.append(time.monotonic() - start)
            verdict = "right" if right() else "WRONG"
            if taken[0] > 30:
                # Told apart without a median.
                break
        if taken:
            median = statistics.median(taken)
            rows = len(FRAME)
            of = f" ({rows:,} rows)" if rows < ROWS else ""
            print(f"| {name} | {median:.2f}{of} | {rows / median:,.0f} | {verdict} |", flush=True)
        else:
            print(f"| {name} | | | {verdict} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\nmost memory of this process, frame included: {peak} MiB")


measure()
