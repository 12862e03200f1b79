"""BigQuery: its REST API, its SQL on DuckDB, its jobs, and BigQuery ML."""
