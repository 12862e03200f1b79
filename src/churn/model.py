"""The trained model and its folder.

The folder holds `model.ubj` (XGBoost's own format), `class_names.json`, `features.json` and
`decision.json`. No pickle: reading a model runs no code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost

from churn import features
from churn.errors import DataError
from churn.schema import CLASS_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

MODEL_FILE: Final = "model.ubj"
CLASSES_FILE: Final = "class_names.json"
FEATURES_FILE: Final = "features.json"
DECISION_FILE: Final = "decision.json"


@dataclass(frozen=True, slots=True)
class Model:
    """A booster that ends at its best round, and the classes that its output speaks of.

    `threshold` is the probability from which on a customer counts as leaving: the likelier class,
    unless an evaluation was asked to judge by another.
    """

    booster: xgboost.Booster
    class_names: tuple[str, ...] = CLASS_NAMES
    threshold: float = 0.5

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability that each prepared customer leaves, shape (rows,)."""
        return self.booster.predict(design(table)).astype(np.float64)

    def importance(self, table: pd.DataFrame) -> dict[str, float]:
        """Return what each feature moves, most first: the mean absolute SHAP value, in log-odds.

        Lundberg et al., "Consistent Individualized Feature Attribution for Tree Ensembles", 2018.
        """
        contributions = self.booster.predict(design(table), pred_contribs=True)
        means = np.abs(contributions[:, :-1]).mean(axis=0)
        named = zip(features.names(), (float(mean) for mean in means), strict=True)
        return dict(sorted(named, key=lambda item: -item[1]))

    def save(self, folder: Path) -> None:
        """Write the folder; makes it if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.booster.save_model(folder / MODEL_FILE)
        _write_json(folder / CLASSES_FILE, list(self.class_names))
        _write_json(folder / FEATURES_FILE, features.names())
        _write_json(folder / DECISION_FILE, {"threshold": self.threshold})


def load(folder: Path) -> Model:
    """Read a folder that `Model.save` wrote.

    Raises DataError if a file is missing, or if the model was trained on other features than this
    code computes: its predictions would be nonsense.
    """
    for name in (MODEL_FILE, CLASSES_FILE, FEATURES_FILE, DECISION_FILE):
        if not (folder / name).is_file():
            raise DataError(f"{folder}: no {name}: not a model of this package")
    trained_on = _read_json(folder / FEATURES_FILE)
    if trained_on != features.names():
        differing = sorted(set(trained_on) ^ set(features.names())) or ["their order"]
        raise DataError(f"{folder}: trained on other features: {', '.join(differing)}")
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(folder / MODEL_FILE)
    return Model(
        booster,
        class_names=tuple(_read_json(folder / CLASSES_FILE)),
        threshold=float(_read_json(folder / DECISION_FILE)["threshold"]),
    )


def design(table: pd.DataFrame) -> xgboost.DMatrix:
    """Return a prepared table as XGBoost's input, with the label if the table has one."""
    label = table[features.LABEL].to_numpy() if features.LABEL in table else None
    return xgboost.DMatrix(
        features.matrix(table),
        label,
        feature_names=features.names(),
        feature_types=features.types(),
        enable_categorical=True,
        nthread=1,
    )


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def _write_json(path: Path, value: list[str] | dict[str, float]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
