"""FORMAT_DATE, PARSE_DATE and their like: strftime's elements as GoogleSQL has them.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from gcp_local.bigquery.sql.runtime.numbers import QueryError
from gcp_local.bigquery.sql.runtime.times import (
    absolute,
    from_micros,
    micros_of,
    zone_of,
)

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NUMBERS = {
    "Y": ("year", 4, 0, 9999), "E4Y": ("year", 4, 0, 9999), "m": ("month", 2, 1, 12),
    "d": ("day", 2, 1, 31), "e": ("day", 2, 1, 31), "H": ("hour", 2, 0, 23),
    "k": ("hour", 2, 0, 23), "I": ("hour12", 2, 1, 12), "l": ("hour12", 2, 1, 12),
    "M": ("minute", 2, 0, 59), "S": ("second", 2, 0, 60), "j": ("yearday", 3, 1, 366),
    "y": ("year2", 2, 0, 99), "C": ("century", 2, 0, 99), "Q": ("quarter", 1, 1, 4),
    "u": ("", 1, 1, 7), "w": ("", 1, 0, 6), "U": ("", 2, 0, 53), "W": ("", 2, 0, 53),
    "V": ("isoweek", 2, 1, 53), "G": ("isoyear", 4, 0, 9999),
}  # fmt: skip
_OFFSET = r"[zZ]|[+-]\d{1,2}:?\d{2}|[+-]\d{1,2}"
_ZONES = {"z": _OFFSET, "Ez": _OFFSET, "Z": r"[\w/+-]+"}
_ELEMENT = re.compile(r"%(E\d[SY]|E\*[Sfz]|Ez|E4Y|[EO]?[A-Za-z%])", re.DOTALL)
_COMPOSED = {
    "D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "c": "%a %b %e %H:%M:%S %Y",
    "x": "%m/%d/%y", "X": "%H:%M:%S", "h": "%b", "r": "%I:%M:%S %p",
}  # fmt: skip


def formatted(pattern: str, micros: int, zone: str = "UTC") -> str:
    """Write a time by a pattern."""
    moment = from_micros(micros).astimezone(zone_of(zone))

    def element(match: re.Match[str]) -> str:
        return _element(match[1], moment, zone)

    return _ELEMENT.sub(element, pattern)


def _element(code: str, moment: datetime, zone: str) -> str:
    if code in _COMPOSED:
        return _ELEMENT.sub(lambda match: _element(match[1], moment, zone), _COMPOSED[code])
    if found := re.fullmatch(r"E(\d|\*)S", code):
        micros = f"{moment.microsecond:06d}"
        digits = micros.rstrip("0") if found[1] == "*" else micros[: int(found[1])]
        return f"{moment.second:02d}" + (f".{digits}" if digits else "")
    hour = moment.hour % 12 or 12
    iso = moment.isocalendar()
    yearday = moment.timetuple().tm_yday
    weekday = moment.isoweekday() % 7
    offset = f"{moment:%z}" or "+0000"
    values = {
        "A": _DAYS[weekday], "a": _DAYS[weekday][:3], "B": _MONTHS[moment.month - 1],
        "b": _MONTHS[moment.month - 1][:3], "C": f"{moment.year // 100:02d}",
        "d": f"{moment.day:02d}", "e": f"{moment.day:2d}", "G": f"{iso.year:04d}",
        "g": f"{iso.year % 100:02d}", "H": f"{moment.hour:02d}", "I": f"{hour:02d}",
        "j": f"{yearday:03d}", "k": f"{moment.hour:2d}", "l": f"{hour:2d}",
        "M": f"{moment.minute:02d}", "m": f"{moment.month:02d}", "n": "\n",
        "P": "am" if moment.hour < 12 else "pm", "p": "AM" if moment.hour < 12 else "PM",
        "Q": str((moment.month - 1) // 3 + 1), "S": f"{moment.second:02d}",
        "s": str(micros_of(moment) // 1_000_000), "t": "\t",
        "U": f"{(yearday + 6 - weekday) // 7:02d}", "u": str(iso.weekday), "V": f"{iso.week:02d}",
        "W": f"{(yearday + 6 - (weekday - 1) % 7) // 7:02d}", "w": str(weekday),
        "Y": f"{moment.year}", "E4Y": f"{moment.year:04d}", "y": f"{moment.year % 100:02d}",
        "Z": "UTC" if zone == "UTC" else moment.tzname() or "", "z": offset,
        "Ez": f"{offset[:3]}:{offset[3:]}", "%": "%",
    }  # fmt: skip
    plain = code[1:] if len(code) > 1 and code[0] in "EO" and code not in values else code
    return values.get(plain, f"%{code}")


def formatted_date(pattern: str, day: date) -> str:
    """Write a date by a pattern."""
    return formatted(pattern, (day - date(1970, 1, 1)).days * 86_400_000_000)


class _Reader:
    def __init__(self, pattern: str, text: str, what: str) -> None:
        self.pattern, self.text, self.what = pattern, text, what
        self.at = 0
        self.found: dict[str, int] = {}
        self.zone: str | None = None

    def refused(self) -> QueryError:
        return QueryError(f'Failed to parse input string "{self.text}"')

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def number(self, digits: int, least: int, most: int, *, signed: bool = False) -> int:
        self.space()
        match = re.compile(r"[+-]?\d+" if signed else rf"\d{{1,{digits}}}").match(
            self.text, self.at
        )
        if not match or not least <= int(match[0]) <= most:
            raise self.refused()
        self.at = match.end()
        return int(match[0])

    def word(self, words: tuple[str, ...]) -> int:
        for form in (words, tuple(each[:3] for each in words)):
            for number, each in enumerate(form):
                if self.text[self.at : self.at + len(each)].lower() == each.lower():
                    self.at += len(each)
                    return number
        raise self.refused()

    def run(self, pattern: str) -> None:
        index = 0
        while index < len(pattern):
            if match := _ELEMENT.match(pattern, index):
                self.element(match[1])
                index = match.end()
            elif pattern[index].isspace():
                self.space()
                index += 1
            else:
                if self.text[self.at : self.at + 1] != pattern[index]:
                    raise self.refused()
                self.at += 1
                index += 1

    def element(self, code: str) -> None:
        if code in _COMPOSED:
            self.run(_COMPOSED[code])
        elif code in _NUMBERS:
            name, digits, least, most = _NUMBERS[code]
            self.found[name] = self.number(digits, least, most)
        elif code in ("B", "b", "h"):
            self.found["month"] = self.word(_MONTHS) + 1
        elif code in ("A", "a"):
            self.word(_DAYS)
        elif code in ("p", "P"):
            self.found["afternoon"] = self.half()
        elif code == "s":
            self.found["epoch"] = self.number(20, -(10**13), 10**13, signed=True)
        elif code in _ZONES:
            self.zone = (
                self.match(_ZONES[code]).upper() if code != "Z" else self.match(_ZONES[code])
            )
            self.zone = "UTC" if self.zone == "Z" else self.zone
        else:
            self.rest(code)

    def rest(self, code: str) -> None:
        if re.fullmatch(r"E(\d|\*)S", code):
            self.found["second"] = self.number(2, 0, 60)
            if self.text[self.at : self.at + 1] == ".":
                self.found["micros"] = int(self.match(r"\.\d+")[1:].ljust(6, "0")[:6])
        elif code in ("t", "n"):
            self.space()
        elif code == "%":
            self.match("%")
        else:
            raise QueryError(f"Invalid format element %{code}")

    def match(self, pattern: str) -> str:
        found = re.compile(pattern).match(self.text, self.at)
        if not found:
            raise self.refused()
        self.at = found.end()
        return found[0]

    def half(self) -> int:
        said = self.text[self.at : self.at + 2].lower()
        if said not in ("am", "pm"):
            raise self.refused()
        self.at += 2
        return int(said == "pm")

    def micros(self) -> int:
        self.run(self.pattern)
        self.space()
        if self.at != len(self.text):
            raise self.refused()
        found = self.found
        if "epoch" in found:
            return found["epoch"] * 1_000_000
        year = found.get("year", 1970)
        if "year2" in found:
            century = found.get("century", 20 if found["year2"] < 69 else 19)
            year = century * 100 + found["year2"]
        hour = found.get("hour", 0)
        if "hour12" in found:
            hour = found["hour12"] % 12 + 12 * found.get("afternoon", 0)
        try:
            if "isoweek" in found or "isoyear" in found:
                day = date.fromisocalendar(found.get("isoyear", year), found.get("isoweek", 1), 1)
            elif "yearday" in found and "month" not in found:
                day = date(year, 1, 1) + timedelta(days=found["yearday"] - 1)
            else:
                month = found.get("month", (found.get("quarter", 1) - 1) * 3 + 1)
                day = date(year, month, found.get("day", 1))
        except ValueError:
            raise self.refused() from None
        seconds = (hour * 60 + found.get("minute", 0)) * 60 + found.get("second", 0)
        start = (day - date(1970, 1, 1)).days * 86_400_000_000
        return start + seconds * 1_000_000 + found.get("micros", 0)


def parsed(pattern: str, text: str) -> int:
    """Read a DATETIME by a pattern."""
    return _Reader(pattern, text, "datetime").micros()


def parsed_timestamp(pattern: str, text: str, zone: str = "UTC") -> int:
    """Read a TIMESTAMP by a pattern."""
    reader = _Reader(pattern, text, "timestamp")
    micros = reader.micros()
    return micros if "epoch" in reader.found else absolute(micros, reader.zone or zone)


def parsed_date(pattern: str, text: str) -> date:
    """Read a DATE by a pattern."""
    return from_micros(_Reader(pattern, text, "date").micros()).date()


def parsed_time(pattern: str, text: str) -> int:
    """Read a TIME by a pattern."""
    return _Reader(pattern, text, "time").micros() % 86_400_000_000


# CAST … FORMAT

_CAST_ELEMENTS = {
    "YYYY": "%E4Y", "YY": "%y", "MM": "%m", "DD": "%d", "DDD": "%j", "HH24": "%H", "HH12": "%I",
    "HH": "%I", "MI": "%M", "SS": "%S", "MONTH": "%B", "MON": "%b", "DAY": "%A", "DY": "%a",
    "AM": "%p", "PM": "%p", "A.M.": "%p", "P.M.": "%p", "Q": "%Q", "FF3": "%E3f", "TZH": "%z",
}  # fmt: skip
_CAST_PART = re.compile(
    "|".join(map(re.escape, sorted(_CAST_ELEMENTS, key=len, reverse=True)))
    + r'|SSSSS|FF\d|D|"(?:[^"\\]|\\.)*"|[-./,\';: ]|.',
    re.IGNORECASE | re.DOTALL,
)


def cast_pattern(pattern: str) -> str:
    """Give the strftime pattern of a CAST's format clause."""
    parts: list[str] = []
    for match in _CAST_PART.finditer(pattern):
        text = match[0]
        if text.upper() in _CAST_ELEMENTS and text.upper() not in ("FF3", "TZH"):
            parts.append(_CAST_ELEMENTS[text.upper()])
        elif text[0] == '"':
            parts.append(text[1:-1].replace("%", "%%"))
        elif text in "-./,';: ":
            parts.append(text)
        else:
            raise QueryError(f"Format element '{text}' is not supported here")
    return "".join(parts)
