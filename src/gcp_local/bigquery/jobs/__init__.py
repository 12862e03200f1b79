"""BigQuery's jobs: queries, loads, extracts, copies."""
