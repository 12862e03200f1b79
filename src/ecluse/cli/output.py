"""What commands print to: people on a terminal, machines on standard output."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from ecluse.catalog import Catalog
from ecluse.local import wanted_locally
from ecluse.workplace import Workplace


def console(*, quiet: bool = False) -> Console:
    """Return where people read; on standard error when standard output is for a machine."""
    return Console(stderr=quiet, soft_wrap=True, highlight=False)


def show_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def workplace(repository: Path, *, local: bool) -> Workplace:
    """Return the workplace that the shared options describe."""
    return Workplace(Catalog.find(repository), wanted_locally(local))
