"""Parsed settings files, .ecluse/settings.json: each taken while its text is the very same.

PyYAML takes milliseconds for a file, and a large repository has hundreds. Only what a text parses
to is kept, not what it means: every check is made anew.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

_VERSION = 1


class SettingsCache:
    """What settings files' texts parse to, by the file's name as errors show it."""

    def __init__(self, root: Path) -> None:
        self._file = root / ".ecluse" / "settings.json"
        self._is_new = False

    def content(self, shown: str, text: str) -> Mapping[str, Any] | None:
        """Return what a file's text parses to, if that is known."""
        digest, content = self._parsed.get(shown, ("", None))
        return content if digest == _sha256(text) else None

    def keep(self, shown: str, text: str, content: Mapping[str, Any]) -> None:
        """Remember what a file's text parses to."""
        self._parsed[shown] = (_sha256(text), content)
        self._is_new = True

    def save(self) -> None:
        """Write what is new, whole or not at all; where nothing can be written, do without."""
        if not self._is_new:
            return
        self._is_new = False
        partial = self._file.with_name(f".settings.{os.getpid()}.{threading.get_ident()}")
        with suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            partial.write_text(json.dumps({"version": _VERSION, "files": self._parsed}))
            partial.replace(self._file)

    @cached_property
    def _parsed(self) -> dict[str, tuple[str, Mapping[str, Any] | None]]:
        try:
            kept = json.loads(self._file.read_bytes())
            if kept["version"] == _VERSION:
                return {
                    str(shown): (str(digest), dict(content))
                    for shown, (digest, content) in kept["files"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # none, or a torn one: parse anew
        return {}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
