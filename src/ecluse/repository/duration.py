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


def duration_text(length: timedelta) -> str:
    """Return the one text of a length of whole seconds, largest unit first: `1h30m`."""
    rest = int(length.total_seconds())
    parts = []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, seconds)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
