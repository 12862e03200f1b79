"""What commands print to: people on a terminal, machines on standard output."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from ecluse.catalog import Catalog
from ecluse.local import wanted_locally
from ecluse.workplace import Workplace

_LOG_WIDTH = 160


def console(*, quiet: bool = False) -> Console:
    """Return where people read; on standard error when standard output is for a machine."""
    found = Console(stderr=quiet, soft_wrap=True, highlight=False)
    if not found.is_terminal:
        # A log has no width: a table that is cut there helps nobody.
        found = Console(stderr=quiet, soft_wrap=True, highlight=False, width=_LOG_WIDTH)
    return found


def show_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def workplace(repository: Path, *, local: bool) -> Workplace:
    """Return the workplace that the shared options describe."""
    return Workplace(Catalog.find(repository), wanted_locally(local))
