"""Freeze windows as people write them, in environments/*.yaml.

- {from: 2026-12-20T18:00:00Z, until: 2027-01-04T08:00:00Z, reason: The year's end}
- {weekly: Fri 16:00 - Mon 08:00, time_zone: Europe/Paris, reason: Nobody is there}
"""

import re
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Any, Final, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from ecluse.repository.strict import Strict
from ecluse.repository.time_zone import TimeZone

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKLY = re.compile(
    rf"({'|'.join(_DAYS)}) ([01][0-9]|2[0-3]):([0-5][0-9]) *- *"
    rf"({'|'.join(_DAYS)}) ([01][0-9]|2[0-3]):([0-5][0-9])"
)


@dataclass(frozen=True)
class WeeklySpan:
    """A part of every week, by the clock on the wall.

    Attributes:
        begins_on, ends_on: the days, 0 for Monday.
        begins_at, ends_at: the times of these days.

    """

    begins_on: int
    begins_at: time
    ends_on: int
    ends_at: time

    @property
    def days(self) -> int:
        """How many days after the one that it begins on it ends, 0 to 7."""
        days = (self.ends_on - self.begins_on) % 7
        return 7 if days == 0 and self.ends_at <= self.begins_at else days


def parse_weekly(text: str) -> WeeklySpan:
    """Return the part of the week that a text such as `Fri 16:00 - Mon 08:00` means.

    Raises:
        ValueError: it means none.

    """
    match = _WEEKLY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"`{text}` is no part of a week, such as `Fri 16:00 - Mon 08:00`")
    span = WeeklySpan(
        _DAYS.index(match[1]),
        time(int(match[2]), int(match[3])),
        _DAYS.index(match[4]),
        time(int(match[5]), int(match[6])),
    )
    if (span.begins_on, span.begins_at) == (span.ends_on, span.ends_at):
        raise ValueError(f"`{text}` ends when it begins")
    return span


def _moment(value: Any) -> Any:
    """Take a moment with its time zone, from YAML's own or from a text."""
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise ValueError(
            f"`{value}` is no moment: write day, time and zone, such as 2026-12-20T18:00:00Z"
        )
    return found


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Freeze(Strict):
    """A time in which nothing new may go live: once, or every week.

    Attributes:
        begins, ends: once, from (written `from`) and until these moments.
        weekly: every week, such as `Fri 16:00 - Mon 08:00`.
        time_zone: whose clock `weekly` goes by.
        reason: why, for whoever is refused.

    """

    begins: Annotated[Moment | None, Field(alias="from")] = None
    ends: Annotated[Moment | None, Field(alias="until")] = None
    weekly: str | None = None
    time_zone: TimeZone | None = None
    reason: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

    @property
    def span(self) -> WeeklySpan | None:
        """The part of every week; none for one that is once."""
        return parse_weekly(self.weekly) if self.weekly is not None else None

    @model_validator(mode="after")
    def _is_once_or_weekly(self) -> Self:
        if self.weekly is not None:
            parse_weekly(self.weekly)
            if self.begins is not None or self.ends is not None:
                raise ValueError("a freeze has `from` and `until`, or `weekly`, not both")
        elif self.begins is None or self.ends is None:
            raise ValueError("a freeze has `from` and `until`, or `weekly`")
        elif self.ends <= self.begins:
            raise ValueError("`until` is not after `from`")
        elif self.time_zone is not None:
            raise ValueError("`time_zone` goes with `weekly`: `from` and `until` have their own")
        return self
