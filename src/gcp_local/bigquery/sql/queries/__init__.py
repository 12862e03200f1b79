"""Queries: names are found, types told and held to, and DuckDB's SQL written."""
