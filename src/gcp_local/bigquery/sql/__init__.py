"""GoogleSQL: read and refused as BigQuery does, run by DuckDB."""
