"""BigQuery's tables: their rules, how they change, how they are described."""
