"""What can be wrong, one class each. Every message is one line.

ChurnError
├── DataError              the data cannot be used: no file, not a CSV, no rows, broken rules
├── ForbiddenFeatureError  a feature is made from the label, the id, or a column that leaks
├── SplitError             no fair split: a part is empty, or its share of churners is off
└── InstanceError          a prediction request holds an instance that is no customer
"""

from __future__ import annotations


class ChurnError(Exception):
    """Anything this package refuses."""


class DataError(ChurnError):
    """The data cannot be used."""


class ForbiddenFeatureError(ChurnError):
    """A feature would give the answer away."""


class SplitError(ChurnError):
    """The parts would not be comparable."""


class InstanceError(ChurnError):
    """A prediction request holds an instance that is no customer."""
