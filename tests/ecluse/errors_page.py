"""Writes docs/errors.md from src/ecluse/errors.py: `python -m tests.ecluse.errors_page`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from ecluse import errors
from ecluse.errors import EcluseError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

HEAD = """# Errors

*Made from [`src/ecluse/errors.py`](../src/ecluse/errors.py) by
`python -m tests.ecluse.errors_page`.*

Every error is one line: where, what, and after the arrow what to do. With `--json` the answer is
`{"error": {"kind", "what", "where", "fix"}}`, where `kind` is a heading of this page. A Python
traceback is never an answer but a bug: please report it.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | a check, a gate, a run or the cloud said no |
| 2 | the command or a file is wrong; nothing went live |
| 130 | stopped by the user; what runs in the cloud goes on |

"""


def classes() -> list[type[EcluseError]]:
    """Every class of errors but the root, in the order of the module."""
    return [
        found
        for _, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, EcluseError) and found is not EcluseError
    ]


def tree() -> str:
    """The tree as the module draws it."""
    drawn = re.search(r"^    EcluseError\n(    .*\n)+", errors.__doc__ or "", re.MULTILINE)
    assert drawn is not None
    return inspect.cleandoc("\n" + drawn[0])


def page() -> str:
    """The page."""
    return HEAD + f"```text\n{tree()}\n```\n" + "".join(map(_section, classes()))


def shown(kind: type[EcluseError]) -> str:
    """A class's example as the command line shows it."""
    example = vars(kind).get("example")
    assert example is not None, f"{kind.__name__} needs an `example`, and a `usual_fix`"
    return f"error {kind(example.what, where=example.where, fix=example.fix)}"


def _section(kind: type[EcluseError]) -> str:
    return "\n" + "\n\n".join(_paragraphs(kind)) + "\n"


def _paragraphs(kind: type[EcluseError]) -> Iterator[str]:
    yield f"## {kind.__name__}"
    # What its parent says of itself is said under the parent's heading.
    yield f"{inspect.getdoc(kind)} {vars(kind).get('when', '')}".strip()
    yield f"```text\n{shown(kind)}\n```"
    if kind.usual_fix:
        yield f"**What to do:** {kind.usual_fix}."
    yield f"Exit code {kind.exit_code}."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
