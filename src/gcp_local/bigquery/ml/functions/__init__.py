"""The table functions over models, `ML.…` in FROM.

Each is what Google documents beside
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict, to the
names, order and types of the columns.
"""

from gcp_local.bigquery.ml.functions.dispatch import ModelFunctions

__all__ = ["ModelFunctions"]
