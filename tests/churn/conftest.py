from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from churn import evaluation, features, sample, split, training, validation

if TYPE_CHECKING:
    import pandas as pd


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
