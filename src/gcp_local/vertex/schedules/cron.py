"""Cron expressions as Vertex AI takes them: five fields, maybe behind a time zone.

`CRON_TZ=Europe/Paris 30 2 * * *`, `TZ=Europe/Paris 30 2 * * *` or, in UTC, `30 2 * * *`
(https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.schedules).

When the clocks change, a time of day that does not exist fires as soon as the clock goes on, and
one that exists twice fires once, as cron of Debian has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from gcp_local.errors import InvalidArgument

_ZONED = re.compile(r"(?:CRON_)?TZ=(?P<zone>\S+)\s+(?P<fields>.*)")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
# What tzdata keeps beside the zones of the IANA.
_NO_ZONES = ("posix/", "right/", "posixrules", "localtime", "Factory")
# Names of months and days, numbers, lists, ranges, steps; not the extensions `L`, `#`, `W`, `?`.
_TERM = r"(\*|[0-9]{1,2}|[A-Za-z]{3})(-([0-9]{1,2}|[A-Za-z]{3}))?(/[0-9]{1,2})?"
_FIELD = re.compile(rf"{_TERM}(,{_TERM})*")
_AT = "schedule.cron"


@dataclass(frozen=True)
class Cron:
    """When something is to happen, again and again."""

    fields: str
    zone: ZoneInfo | None

    def after(self, moment: datetime) -> datetime | None:
        """Give the first time after that moment, in UTC; None if there is none in fifty years."""
        try:
            local = moment.astimezone(self.zone or UTC)
            # In the repeated hour of autumn the reckoning begins anew, before `moment`.
            for found in CronSim(self.fields, local):
                if found.astimezone(UTC) > moment:
                    return found.astimezone(UTC)
        except OverflowError:
            pass  # past the last year that there is
        return None


@lru_cache(maxsize=1024)
def parse(text: str) -> Cron:
    """Read an expression.

    Raises:
        InvalidArgument: it is none, or names no time zone of the IANA's, or never fires.

    """
    zoned = _ZONED.fullmatch(text)
    fields = (zoned["fields"] if zoned else text).split()
    cron = Cron(" ".join(fields), _zone(zoned["zone"], text) if zoned else None)
    if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        raise _refusal(text, "it must be five fields: minute, hour, day, month, day of the week")
    try:
        fires = cron.after(datetime(2000, 1, 1, tzinfo=UTC)) is not None
    except CronSimError as error:
        raise _refusal(text, str(error)) from None
    if not fires:
        raise _refusal(text, "no such day ever comes")
    return cron


def _zone(name: str, text: str) -> ZoneInfo:
    try:
        if _ZONE.fullmatch(name) and not name.startswith(_NO_ZONES):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise _refusal(text, f"{name!r} is not a time zone of the IANA's database")


def _refusal(text: str, why: str) -> InvalidArgument:
    return InvalidArgument.of_field(_AT, f"Invalid cron {text!r}: {why}.")
