"""The folder of Parquet files and the write-ahead segments before it."""
