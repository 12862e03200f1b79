from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from churn import evaluation, features, sample, split, training, validation

if TYPE_CHECKING:
    import pandas as pd

BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "data" / "BankChurners.csv"


@pytest.fixture(scope="session")
def public_file() -> Path:
    """The public file: development has it, the repository does not."""
    path = Path(os.environ.get("ECLUSE_CHURN_DATA", BESIDE_THE_REPOSITORY))
    if not path.is_file():
        pytest.skip("needs the public BankChurners.csv; name it in ECLUSE_CHURN_DATA")
    return path


@pytest.fixture(scope="session")
def generated() -> pd.DataFrame:
    return sample.generate(10_000, seed=7)


@pytest.fixture(scope="session")
def table(generated: pd.DataFrame) -> pd.DataFrame:
    return features.prepare(validation.clean(generated.astype(str)))


@pytest.fixture(scope="session")
def parts(table: pd.DataFrame) -> split.Split:
    return split.split(table, split.SplitPlan())


@pytest.fixture(scope="session")
def trained(parts: split.Split) -> training.Training:
    return training.train(parts.train, parts.validation, training.TrainingPlan())


@pytest.fixture(scope="session")
def evaluated(parts: split.Split, trained: training.Training) -> evaluation.Evaluation:
    return evaluation.evaluate(
        parts.test,
        trained.model.predict(parts.test),
        importance=trained.model.importance(parts.test),
    )
