"""Cron expressions as Vertex AI takes them: five fields of numbers, lists, ranges and steps.

Checked when they are written: Vertex AI would refuse a wrong one only when its pipeline is live.
"""

import re
from collections.abc import Sequence
from typing import Final

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[Sequence[tuple[str, int, int, Sequence[str]]]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_TERM: Final = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([0-9]{1,2}))?")
_LONGEST_MONTHS: Final = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def checked_cron(text: str) -> str:
    """Return a cron expression as it is.

    Raises:
        ValueError: it is none; the message names the field, or says that its day never comes.

    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"`{text}` is no cron expression: write five fields, minute, hour, day of the month, "
            "month and day of the week, such as `0 6 * * 1`"
        )
    values = [_values(field, *known) for field, known in zip(fields, _FIELDS, strict=True)]
    _, _, days, months, _ = values
    if fields[4] == "*" and all(min(days) > _LONGEST_MONTHS.get(month, 31) for month in months):
        raise ValueError(f"`{text}`: no such day ever comes")
    return text


def _values(field: str, name: str, least: int, most: int, words: Sequence[str]) -> set[int]:
    values: set[int] = set()
    for term in field.split(","):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"`{term}` is no {name}")
        first, last, step = match.groups()
        low, high = least, most
        if first is not None:
            low = _number(first, name, least, most, words)
            # A step after a single number goes on to the greatest.
            high = most if step and last is None else low
        if last is not None:
            high = _number(last, name, least, most, words)
        if high < low or step in {"0", "00"}:
            raise ValueError(f"`{term}` is no {name}: it goes backwards or nowhere")
        values.update(range(low, high + 1, int(step or 1)))
    return values


def _number(word: str, name: str, least: int, most: int, words: Sequence[str]) -> int:
    if word.lower() in words:
        return words.index(word.lower()) + (1 if least else 0)
    if not word.isascii() or not word.isdigit() or not least <= int(word) <= most:
        names = f", or {words[0].upper()} to {words[-1].upper()}" if words else ""
        raise ValueError(f"`{word}` is no {name}: it is {least} to {most}{names}")
    return int(word)
