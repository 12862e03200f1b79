"""Numbers put into buckets, which are named in one of three ways.

Sources, below https://cloud.google.com/bigquery/docs/reference/standard-sql/:
bigqueryml-syntax-bucketize, bigqueryml-syntax-quantile-bucketize.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from gcp_local.bigquery.ml.preprocessing.literals import number, plain, text

FORMATS = ("bucket_names", "bucket_ranges", "bucket_ranges_json")


def bucketized(value: str, points: Sequence[float], form: str) -> str:
    """Write which bucket a value is in.

    Args:
        value: GoogleSQL.
        points: where one bucket ends and the next begins, ascending.
        form: one of the formats.

    """
    ends: list[float | None] = [None, *points, None]
    names = [
        text(_name(at, low, high, form)) for at, (low, high) in enumerate(pairwise(ends), start=1)
    ]
    cases = "".join(
        f" WHEN ({value}) < {number(point)} THEN {name}"
        for point, name in zip(points, names, strict=False)
    )
    return f"(CASE WHEN ({value}) IS NULL THEN NULL{cases} ELSE {names[-1]} END)"


def _name(at: int, low: float | None, high: float | None, form: str) -> str:
    if form == "bucket_names":
        return f"bin_{at}"
    if form == "bucket_ranges":
        begins = "(-inf" if low is None else f"[{plain(low)}"
        return f"{begins}, {'+inf' if high is None else plain(high)})"
    start = "-Infinity" if low is None else plain(low)
    return json.dumps({"start": start, "end": "Infinity" if high is None else plain(high)})
