"""A DataFrame into PostgreSQL: `spark-submit orders.py`, with DATABASE_URL set on the workers, and dbload installed."""

import os

import dbload.spark
from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def orders(spark, rows, partitions=8):
    """Two versions of each order, far apart: the later one must win."""
    return spark.range(0, 2 * rows, 1, partitions).select(
        (f.col("id") % rows).alias("id"),
        f.concat(f.lit("order "), f.col("id")).alias("name"),
        (f.col("id") * 1.25).cast("decimal(20,2)").alias("amount"),
        (f.col("id") / rows).cast("int").alias("version"),
    )


if __name__ == "__main__":
    spark = SparkSession.builder.appName("orders").getOrCreate()
    report = dbload.spark.write(
        orders(spark, 100_000), "orders", "id", order_by="version", newer_by="version", dsn=os.environ["DATABASE_URL"]
    )
    print(report.rows)
