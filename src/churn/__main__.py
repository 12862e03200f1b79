"""The command line: `python -m churn sample …` and `python -m churn check …`.

Exit code 0 means done, 2 means that the file or the usage is wrong, with one line on stderr.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from churn.errors import ChurnError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "sample":
            print(_sample(options.rows, options.seed, options.output))  # noqa: T201 - a CLI's output
        else:
            print(_check(options.path))  # noqa: T201 - a CLI's output
    except (ChurnError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a CLI's output
        return 2
    return 0


def _sample(rows: int, seed: int, output: Path) -> str:
    from churn.sample import generate

    output.parent.mkdir(parents=True, exist_ok=True)
    generate(rows, seed).to_csv(output, index=False)
    return f"{output}: {rows:,} generated customers (seed {seed})"


def _check(path: Path) -> str:
    from churn.validation import check

    return f"{path}: {check(path).summary}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m churn", description="Bank churners.")
    commands = parser.add_subparsers(dest="command", required=True)
    sample = commands.add_parser("sample", help="generate customers into a CSV file")
    sample.add_argument("--rows", type=_positive, default=10_000)
    sample.add_argument("--seed", type=int, default=7)
    sample.add_argument("--output", type=Path, required=True)
    check = commands.add_parser("check", help="say whether a CSV file can be used")
    check.add_argument("path", type=Path)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
