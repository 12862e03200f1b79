"""What a user may say of a model: description, labels, friendly name, expiration.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-alter-model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gcp_local.bigquery.errors import BigQueryError

_TEXTS = {"friendly_name": "friendlyName", "description": "description"}


def altered(body: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Give a `Model` with some options set; NULL takes one away.

    Raises:
        BigQueryError: an unknown option, or one of the wrong type.

    """
    changed = dict(body)
    for given, value in said.items():
        name = given.lower()
        if name == "vertex_ai_model_id":
            if not isinstance(value, str):
                raise _refused(f"Option {name} must be of type STRING")
        elif name in _TEXTS:
            if value is not None and not isinstance(value, str):
                raise _refused(f"Option {name} must be of type STRING")
            _set(changed, _TEXTS[name], value)
        elif name == "labels":
            _set(changed, "labels", _labels(value))
        elif name in ("expiration_timestamp", "default_trial_id"):
            raise BigQueryError.lacking(f"the option {name} of ALTER MODEL", location="query")
        else:
            raise _refused(f"Unknown option: {given}")
    return changed


def _labels(value: Any) -> dict[str, str] | None:
    from gcp_local.errors import InvalidArgument
    from gcp_local.resources.labels import check_labels

    if value is None:
        return None
    pairs = value if isinstance(value, tuple) else (None,)
    found: dict[str, str] = {}
    for pair in pairs:
        match pair:
            case (str() as key, str() as label):
                found[key] = label
            case _:
                raise _refused("Option labels must be of type ARRAY<STRUCT<STRING, STRING>>")
    try:
        check_labels(found)
    except InvalidArgument as error:
        raise _refused(error.message) from None
    return found


def _set(body: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        body.pop(name, None)
    else:
        body[name] = value


def _refused(message: str) -> BigQueryError:
    return BigQueryError("invalidQuery", message, location="query")
