"""A time zone as people name it, such as `Europe/Paris`."""

from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{name}` is no time zone, such as `Europe/Paris`") from None
    return name


TimeZone: TypeAlias = Annotated[str, AfterValidator(_known_time_zone)]
