"""What commands print to: people on a terminal, machines on standard output."""

import codecs
import errno
import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from ecluse.errors import EcluseError, InvalidInput

if TYPE_CHECKING:
    from ecluse.workplace import Workplace

_LOG_WIDTH = 160
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


_PLAIN = {
    "→": "->",
    "✓": "+",
    "✗": "x",
    "…": "...",
    "·": "-",
    "–": "-",
    "▸": ">",
    "■": "#",
    "↷": "~",
    "×": "x",
}
"""What stands for a sign where the terminal's or the log's encoding has none for it."""


def speak_any_encoding() -> None:
    """Let no sign that standard output or error cannot encode end a command."""
    codecs.register_error("ecluse.plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="ecluse.plain")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in signs), error.end


def console(*, quiet: bool = False) -> Console:
    """Return where people read; on standard error when standard output is for a machine."""
    found = Console(stderr=quiet, highlight=False)
    if not found.is_terminal:
        # A log has no width: a table or a line that is cut there helps nobody.
        found = Console(stderr=quiet, soft_wrap=True, highlight=False, width=_LOG_WIDTH)
    return found


def show_json(value: Any) -> None:
    """Print one JSON document to standard output, with escapes where its encoding is too poor."""
    text = _as_text(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = _as_text(value, ascii_only=True)
    sys.stdout.write(text)


def write_json(file: Path, value: Any) -> None:
    """Write one JSON document to a file, whole or not at all.

    A link stays a link. What is no file, such as /dev/stdout, is written to and never replaced.

    Raises:
        InvalidInput: it cannot be written.

    """
    target = file.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():
            target.write_text(_as_text(value), encoding="utf-8")
            return
        partial.write_text(_as_text(value), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InvalidInput(
            f"cannot be written: {error.strerror}", where=str(file), fix="name another file"
        ) from None


def _as_text(value: Any, *, ascii_only: bool = False) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=ascii_only) + "\n"


def unwritable(error: OSError) -> InvalidInput | None:
    """Return what a disk's refusal means to a user; none for écluse's own fault."""
    if error.errno not in _UNWRITABLE:
        return None
    return InvalidInput(
        f"cannot be written: {error.strerror}",
        where=str(error.filename or "standard output"),
        fix="make room or give the right to write there, then run the same command again",
    )


def show_error(error: EcluseError) -> None:
    """Print an error as one line to standard error."""
    line = Text.assemble(("error ", "bold red"), str(error))
    Console(stderr=True, soft_wrap=True).print(line)


def workplace(repository: Path, *, local: bool) -> "Workplace":
    """Return the workplace that the shared options describe."""
    from ecluse.local import wanted_locally
    from ecluse.repository.catalog import Catalog
    from ecluse.workplace import Workplace

    return Workplace(Catalog.find(repository), wanted_locally(local))
