from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

_BESIDE_THE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data" / "BankChurners.csv"


@pytest.fixture(scope="session")
def public_file() -> Path:
    """The public churn file: development has it, the repository does not."""
    path = Path(os.environ.get("ECLUSE_CHURN_DATA", _BESIDE_THE_REPOSITORY))
    if not path.is_file():
        pytest.skip("needs the public BankChurners.csv; name it in ECLUSE_CHURN_DATA")
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at how many points commands were killed."""
    points: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "kill_points":
                points[value[0]] += value[1]
    for what, number in sorted(points.items()):
        terminalreporter.write_line(f"{what}: killed at {number} points, and finished each time")
