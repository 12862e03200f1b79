"""Puts the corpus to Google, or to a stand-in: `python -m tests.conformance --help`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance import corpus, report, targets
from tests.conformance.runner import Runner


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if all that was put agrees, 1 if not, 2 for wrong usage."""
    said = _parser().parse_args(arguments)
    cases = [case for case in corpus.load(said.cases) if re.search(said.only, case.name)]
    if not cases:
        sys.stderr.write(f"no case has a name like {said.only!r}\n")
        return 2
    try:
        local = said.endpoint and targets.local(said.endpoint, said.location)
        target = local or targets.google(said.location)
    except targets.NoCredentialsError as error:
        sys.stderr.write(f"{error}\nLog in: gcloud auth application-default login\n")
        return 2
    runner = Runner(
        target,
        corpus.load_needs(),
        project=said.project,
        location=said.location,
        bucket=said.bucket,
        pause=0.05 if said.endpoint else 2.0,
    )
    outcomes = []
    for outcome in runner.run(cases, included=said.include):
        outcomes.append(outcome)
        sys.stderr.write(f"{outcome.result:8} {outcome.case.name}\n")
    when = datetime.now(UTC).isoformat(timespec="seconds")
    record = report.as_json(outcomes, target=target.name, when=when)
    said.report.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{report.as_text(outcomes)}\n")
    broken = [each for each in outcomes if each.reason and not each.reason.startswith("left out")]
    differing = [each for each in outcomes if each.differences or each.left_behind]
    return 1 if broken or differing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--project", required=True, help="the id of a project to work in")
    parser.add_argument("--location", required=True, help="a region, such as europe-west1")
    parser.add_argument("--bucket", required=True, help="an existing bucket in that region")
    parser.add_argument("--only", default="", metavar="REGEX", help="cases with such a name")
    parser.add_argument(
        "--include",
        nargs="*",
        default=[],
        choices=["costs", "slow", "stays"],
        help="put cases that cost money, are slow, or leave what cannot be removed, too",
    )
    parser.add_argument(
        "--endpoint", metavar="URL", help="a stand-in for Google, such as http://127.0.0.1:8085"
    )
    parser.add_argument("--cases", type=Path, default=corpus.FOLDER, metavar="DIR")
    parser.add_argument("--report", type=Path, default=Path("conformance-report.json"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
