"""Filters of builds: the usual ones, and whether a list has something in it, as in `tags=nightly`.

Source: https://cloud.google.com/build/docs/view-build-results#filtering_build_results_using_queries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.resources.filtering import COMPARISONS, FilterParser, Predicate, matches

if TYPE_CHECKING:
    from gcp_local.resources.filtering import Fields
    from gcp_local.rpc.protos import Message

FILTERABLE = {
    "status": "status",
    "id": "id",
    "build_id": "id",
    "tags": "tags",
    "images": "images",
    "substitutions": "substitutions",
    "create_time": "create_time",
    "start_time": "start_time",
    "finish_time": "finish_time",
    "build_trigger_id": "build_trigger_id",
    "trigger_id": "build_trigger_id",
    "service_account": "service_account",
    "logs_bucket": "logs_bucket",
    "source.storage_source.bucket": "source.storage_source.bucket",
    "source.storage_source.object": "source.storage_source.object_",
    "source.repo_source.repo_name": "source.repo_source.repo_name",
}
_LISTS = ("tags", "images")


class BuildFilter(FilterParser):
    """Reads a filter of builds."""

    @classmethod
    def compiled(cls, text: str, kind: type[Message], fields: Fields) -> Predicate:
        """Turn a filter into a predicate; InvalidArgument if it cannot be read."""
        return cls(text, kind, fields).parse() if text.strip() else lambda _: True

    def _compare(self, path: str, key: str | None, sign: str, value: str, bare: bool) -> Predicate:
        if path not in _LISTS:
            return super()._compare(path, key, sign, value, bare)
        if sign == ":":
            return lambda build: any(matches(each, value) for each in getattr(build, path))
        if key is not None or sign not in ("=", "!="):
            self._fail(f"{path!r} is compared by =, != or :")
        wanted = COMPARISONS[sign](True, True)
        return lambda build: (value in getattr(build, path)) is wanted
