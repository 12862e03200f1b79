"""GoogleSQL's grammar for queries and expressions, read into sqlglot's nodes, with positions.

sqlglot's own reading of BigQuery's dialect takes much that BigQuery refuses, and forgets where
things stood. It still reads what stands around queries and expressions: DDL, DML, scripts.
"""
