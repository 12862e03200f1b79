"""Expressions: from sqlglot's nodes to DuckDB's SQL with GoogleSQL's types, a mixin a family."""
