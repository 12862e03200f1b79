"""What GoogleSQL's functions do where DuckDB does something else, in Python.

DuckDB calls these with plain values: INT64 as int, FLOAT64 as float, NUMERIC as Decimal, STRING as
str, BYTES as bytes, DATE as date; DATETIME, TIMESTAMP and TIME as microseconds (since 1970, in UTC,
since midnight). A `RuntimeError` is the query's error, its message BigQuery's.
"""
