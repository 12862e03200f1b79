"""What is said of objects and asked of them: values without behaviour of their own."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gcp_local.errors import ConditionNotMet, InvalidArgument, NotModified

# What is said of an object and comes back as a header of its download: its JSON name, our field.
HEADERS = {
    "contentType": "content_type",
    "contentEncoding": "content_encoding",
    "contentDisposition": "content_disposition",
    "contentLanguage": "content_language",
    "cacheControl": "cache_control",
}
_HEADER = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")  # RFC 9110, 5.5


@dataclass(frozen=True, kw_only=True)
class Object:
    """One generation of an object, as Cloud Storage describes it. Times are microseconds.

    Attributes:
        md5: base64, as in the API; an object put together from others has none.
        crc32c: base64, as in the API.
        blob: the name of the file that holds the bytes.
        deleted: since when it is not the live generation any more; None while it is.
        hold_released: when its event-based hold ended, from which retention counts anew.

    """

    bucket: str
    name: str
    generation: int
    metageneration: int
    size: int
    crc32c: str
    md5: str | None
    blob: str
    created: int
    updated: int
    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    cache_control: str | None = None
    storage_class: str = "STANDARD"
    custom_time: str | None = None
    component_count: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    temporary_hold: bool | None = None
    event_based_hold: bool | None = None
    hold_released: int | None = None
    deleted: int | None = None

    @property
    def etag(self) -> str:
        """Changes with the bytes and with the metadata."""
        pair = f"{self.generation}/{self.metageneration}".encode()
        return base64.b64encode(pair).decode()


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a writer may say of an object beside its bytes; None leaves it to the service."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    cache_control: str | None = None
    storage_class: str | None = None
    custom_time: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    md5: str | None = None
    crc32c: str | None = None
    temporary_hold: bool | None = None
    event_based_hold: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Preconditions:
    """The four conditions of https://cloud.google.com/storage/docs/request-preconditions.

    Generation 0 stands for "there is no live object".
    """

    if_generation_match: int | None = None
    if_generation_not_match: int | None = None
    if_metageneration_match: int | None = None
    if_metageneration_not_match: int | None = None

    def check(self, live: Object | None, *, reading: bool = False) -> None:
        """Hold the conditions against what is live.

        Raises:
            ConditionNotMet: one does not hold.
            NotModified: a "not match" does not hold, and this is a read.

        """
        generation = live.generation if live else 0
        metageneration = live.metageneration if live else 0
        if self.if_generation_match not in (None, generation):
            raise ConditionNotMet
        if self.if_metageneration_match not in (None, metageneration):
            raise ConditionNotMet
        same = self.if_generation_not_match == generation
        same = same or (live is not None and self.if_metageneration_not_match == metageneration)
        if same:
            raise NotModified("The object has not changed.") if reading else ConditionNotMet()


def check_headers(said: Object | Description) -> None:
    """Raise InvalidArgument if a header of the download could not carry what is said."""
    for name, ours in HEADERS.items():
        value = getattr(said, ours)
        if value is not None and not _HEADER.fullmatch(value):
            raise InvalidArgument(f"Invalid value for {name}: no HTTP header can be {value!a:.200}")


ANY = Preconditions()
