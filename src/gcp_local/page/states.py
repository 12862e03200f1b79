"""States: one word, one sign and one colour for each, the same on every page."""

from __future__ import annotations

from typing import Any

from gcp_local.page.view import Mark, Tone

_DONE, _FAILED, _LIVE, _WAIT, _OFF = "✓", "✕", "▶", "◦", "–"
_MARKS = {
    "SUCCEEDED": Mark("Succeeded", Tone.GOOD, _DONE),
    "SUCCESS": Mark("Succeeded", Tone.GOOD, _DONE),
    "COMPLETE": Mark("Complete", Tone.GOOD, _DONE),
    "COMPLETED": Mark("Completed", Tone.SOFT, _DONE),
    "LIVE": Mark("Live", Tone.GOOD, _DONE),
    "ACTIVE": Mark("Active", Tone.GOOD, _DONE),
    "ENABLED": Mark("Enabled", Tone.GOOD, _DONE),
    "RUNNING": Mark("Running", Tone.LIVE, _LIVE),
    "WORKING": Mark("Running", Tone.LIVE, _LIVE),
    "CANCELLING": Mark("Cancelling", Tone.WAIT, _LIVE),
    "PENDING": Mark("Pending", Tone.WAIT, _WAIT),
    "QUEUED": Mark("Queued", Tone.WAIT, _WAIT),
    "NEW": Mark("New", Tone.WAIT, _WAIT),
    "PAUSED": Mark("Paused", Tone.WAIT, "‖"),
    "FAILED": Mark("Failed", Tone.BAD, _FAILED),
    "FAILURE": Mark("Failed", Tone.BAD, _FAILED),
    "INTERNAL_ERROR": Mark("Internal error", Tone.BAD, _FAILED),
    "TIMEOUT": Mark("Timed out", Tone.BAD, _FAILED),
    "EXPIRED": Mark("Expired", Tone.BAD, _FAILED),
    "CANCELLED": Mark("Cancelled", Tone.SOFT, "■"),
    "SKIPPED": Mark("Cached", Tone.GOOD, "↷"),
    "CACHED": Mark("Cached", Tone.GOOD, "↷"),
    "NOT_TRIGGERED": Mark("Not triggered", Tone.SOFT, _OFF),
}
_PREFIXES = ("PIPELINE_STATE_", "JOB_STATE_")
UNKNOWN = Mark("Unknown", Tone.SOFT, "?")
AHEAD = Mark("Not started", Tone.SOFT, _WAIT)
MISSED = Mark("Not reached", Tone.SOFT, _OFF)
LIVE = frozenset({"RUNNING", "WORKING", "CANCELLING", "PENDING", "QUEUED"})


def name_of(message: Any, field: str = "state") -> str:
    """Give the name of an enum field's value, without the prefix of its kind."""
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    found = kind.values_by_number.get(getattr(message, field))
    name = str(found.name) if found is not None else ""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def mark(name: str) -> Mark:
    """Give the mark of a state by its name."""
    if not name or name.endswith("UNSPECIFIED"):
        return UNKNOWN
    return _MARKS.get(name, Mark(name.replace("_", " ").capitalize(), Tone.SOFT, "·"))


def mark_of(message: Any, field: str = "state") -> Mark:
    """Give the mark of the state that a message is in."""
    return mark(name_of(message, field))
