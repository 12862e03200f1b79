"""The rules for labels, which all of Google Cloud shares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

# Letters of any script but no upper case, digits, "_" and "-".
_KEY = re.compile(r"[^\W\d_](?:\w|-)*")
_VALUE = re.compile(r"(?:\w|-)*")
_MAX_LABELS, _MAX_LABEL = 64, 63


def check_labels(labels: Mapping[str, str]) -> None:
    """Refuse labels that Google Cloud would refuse.

    At most 64; keys and values of at most 63 lower-case letters (of any script), digits, `_` and
    `-`; a key begins with a letter (https://cloud.google.com/vertex-ai/docs/general/labels).
    """
    if len(labels) > _MAX_LABELS:
        raise InvalidArgument.of_field("labels", f"More than {_MAX_LABELS} labels.")
    for key, value in labels.items():
        if len(key) > _MAX_LABEL or not _KEY.fullmatch(key) or key != key.lower():
            raise InvalidArgument.of_field("labels", f"Invalid label key {key!r}.")
        if len(value) > _MAX_LABEL or not _VALUE.fullmatch(value) or value != value.lower():
            raise InvalidArgument.of_field("labels", f"Invalid value {value!r} of label {key!r}.")
