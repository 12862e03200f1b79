"""Preprocessing by hand: functions such as ML.STANDARD_SCALER, and the TRANSFORM clause.

What a function learns from the training data becomes a literal in the clause, so that predictions
are transformed by the same. A function is therefore text in GoogleSQL, and text comes of it.
"""

from gcp_local.bigquery.ml.preprocessing.calls import written_out
from gcp_local.bigquery.ml.preprocessing.transform import Item, frozen, inlined

__all__ = ["Item", "frozen", "inlined", "written_out"]
