from __future__ import annotations

import os
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
