"""From landed messages to raw Parquet, with Spark."""
