"""Lengths of time as people write them: `45s`, `30m`, `2h`, `7d`, `1h30m`."""

import re
from datetime import timedelta

_PARTS = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text: str) -> timedelta:
    """Return the length of time that a text says.

    Raises:
        ValueError: it says none.

    """
    match = _PARTS.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"`{text}` is no length of time, such as `45s`, `30m`, `2h` or `7d`")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"`{text}` is longer than anything lasts") from None
