"""OPTIONS(…): evaluated, and put where the resource has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.ddl.syntax import Options

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.session import Session

_DAY, _MINUTE = 86_400_000, 60_000
# The resource's field, and what it holds: text, labels, moment, days, minutes, flag, whole, …
_COMMON = {
    "description": ("description", "text"),
    "friendly_name": ("friendlyName", "text"),
    "labels": ("labels", "labels"),
}
TABLE = {
    **_COMMON,
    "expiration_timestamp": ("expirationTime", "moment"),
    "partition_expiration_days": ("timePartitioning.expirationMs", "days"),
    "require_partition_filter": ("requirePartitionFilter", "flag"),
    "default_rounding_mode": ("defaultRoundingMode", "text"),
}
VIEW = {**_COMMON, "expiration_timestamp": ("expirationTime", "moment")}
MATERIALIZED_VIEW = {
    **VIEW,
    "enable_refresh": ("materializedView.enableRefresh", "flag"),
    "refresh_interval_minutes": ("materializedView.refreshIntervalMs", "minutes"),
    "allow_non_incremental_definition": ("materializedView.allowNonIncrementalDefinition", "flag"),
}
SCHEMA = {
    **_COMMON,
    "location": ("location", "text"),
    "default_table_expiration_days": ("defaultTableExpirationMs", "days"),
    "default_partition_expiration_days": ("defaultPartitionExpirationMs", "days"),
    "max_time_travel_hours": ("maxTimeTravelHours", "whole"),
    "storage_billing_model": ("storageBillingModel", "capitals"),
    "default_rounding_mode": ("defaultRoundingMode", "text"),
    "is_case_insensitive": ("isCaseInsensitive", "flag"),
}
COLUMN = {"description": ("description", "text"), "rounding_mode": ("roundingMode", "text")}
ROUTINE = {"description": ("description", "text"), "strict_mode": ("strictMode", "flag")}
# BigQuery has them.
_LACKING = {
    "kms_key_name", "default_kms_key_name", "tags", "max_staleness", "enable_change_history",
    "enable_fine_grained_mutations", "privacy_policy", "data_policies", "primary_replica",
    "failover_reservation", "data_governance_type", "storage_uri", "file_format", "table_format",
}  # fmt: skip


def _number(value: Any) -> bool:
    return not isinstance(value, bool | str) and hasattr(value, "__float__")


def _moment(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


# For each kind of value: whether it is one, and how the resource has it.
_KINDS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "text": (lambda value: isinstance(value, str), str),
    "capitals": (lambda value: isinstance(value, str), lambda value: str(value).upper()),
    "flag": (lambda value: isinstance(value, bool), bool),
    "moment": (_moment, lambda value: str(clock.micros(value) // 1000)),
    "whole": (lambda value: isinstance(value, int), str),
    "days": (_number, lambda value: str(int(value * _DAY))),
    "minutes": (_number, lambda value: str(int(value * _MINUTE))),
    "labels": (
        lambda value: isinstance(value, list),
        lambda value: dict(tuple(each.values()) for each in value),
    ),
}


def changed(
    body: Mapping[str, Any],
    options: Options,
    known: Mapping[str, tuple[str, str]],
    asker: Asker,
    session: Session,
) -> dict[str, Any]:
    """Give a resource with options set; NULL takes one away.

    Raises:
        BigQueryError: an option that there is not, or twice, or with a value of another type.

    """
    after = dict(body)
    seen: set[str] = set()
    for name, fragment in options:
        if name in seen:
            raise fragment.error(f"Duplicate option: {name}")
        seen.add(name)
        if name in _LACKING:
            raise BigQueryError.lacking(f"the option {name}", location="query")
        if name not in known:
            raise fragment.error(f"Unknown option: {name}")
        path, kind = known[name]
        _put(after, path.split("."), _value(name, kind, fragment, asker, session))
    return after


def _put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    if len(path) > 1:
        inner = dict(body.get(path[0], {}))
        _put(inner, path[1:], value)
        body[path[0]] = inner
    elif value is None:
        body.pop(path[0], None)
    else:
        body[path[0]] = value


def _value(name: str, kind: str, fragment: Fragment, asker: Asker, session: Session) -> Any:
    if kind == "labels":
        pairs = _pairs(fragment)
        if pairs is not None:
            return pairs
    value = asker.value(fragment, session).value
    if value is None:
        return None
    fits, read = _KINDS[kind]
    if not fits(value):
        raise fragment.error(f"Option {name} has a value of a wrong type")
    return read(value)


def _pairs(fragment: Fragment) -> dict[str, str] | None:
    """Read `[('key', 'value'), …]`, as labels nearly always are; None if it is something else."""
    tokens = [token for token in fragment.tokens if token.upper != "STRUCT"]
    signs = "".join(token.text for token in tokens if token.kind != "string")
    texts = [str(token.value) for token in tokens if token.kind == "string"]
    if signs not in ("[" + ",".join(["(,)"] * (len(texts) // 2)) + "]", "[]"):
        return None
    return dict(zip(texts[::2], texts[1::2], strict=True))
