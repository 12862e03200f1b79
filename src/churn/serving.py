"""Answers prediction requests as Vertex AI asks them.

Vertex AI starts the container with `AIP_HTTP_PORT`, `AIP_HEALTH_ROUTE`, `AIP_PREDICT_ROUTE` and
`AIP_STORAGE_URI`, asks the health route until it answers 200, and then sends
`{"instances": [{…}, …]}` to the predict route.
https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements

An instance is a customer, with the columns of the raw file but those that tell who left; the id,
like any other column that no feature needs, makes no difference. The model's folder may be a local
one or any that Arrow can read, `gs://…` among them: Arrow is what reads the data, too, so that the
business code needs no cloud library.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from churn import features
from churn.errors import InstanceError
from churn.model import Model, load
from churn.schema import ANSWERS, CATEGORIES, NUMBERS, UNKNOWN, Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_DESCRIBING: Final = {column.name: column for column in (*NUMBERS, *CATEGORIES)}


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """What Vertex AI's environment variables say."""

    model_uri: str
    port: int = 8080
    health_route: str = "/health"
    predict_route: str = "/predict"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ServingSettings:
        """Read the `AIP_*` variables. Raises KeyError without `AIP_STORAGE_URI`."""
        return cls(
            model_uri=environment["AIP_STORAGE_URI"],
            port=int(environment.get("AIP_HTTP_PORT", "8080")),
            health_route=environment.get("AIP_HEALTH_ROUTE", "/health"),
            predict_route=environment.get("AIP_PREDICT_ROUTE", "/predict"),
        )


def fetch(uri: str, into: Path) -> Path:
    """Copy a model's folder from `gs://…` to `into`; a local folder stays where it is.

    `STORAGE_EMULATOR_HOST`, the variable of Google's own clients, is honoured.
    """
    if not uri.startswith("gs://"):
        return Path(uri)
    from pyarrow import fs  # a local folder does not need it

    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    scheme, _, host = (emulator or "").rpartition("://")
    storage = (
        fs.GcsFileSystem(anonymous=True, scheme=scheme or "http", endpoint_override=host)
        if emulator
        else fs.GcsFileSystem()
    )
    source = uri.removeprefix("gs://").rstrip("/")
    into.mkdir(parents=True, exist_ok=True)
    fs.copy_files(source, str(into), source_filesystem=storage)
    return into


def read_instances(body: Any) -> pd.DataFrame:
    """Turn a request's JSON into the features of its customers, a row an instance.

    A missing category counts as `Unknown`, a missing number as missing. Raises InstanceError, with
    the first problem, for anything that is not a list of customers.
    """
    instances = body.get("instances") if isinstance(body, dict) else None
    if not isinstance(instances, list):
        raise InstanceError('the request must be {"instances": [{…}, …]}')
    rows = [_row(number, instance) for number, instance in enumerate(instances)]
    frame = pd.DataFrame(rows, columns=list(_DESCRIBING))
    for column in NUMBERS:
        frame[column.name] = frame[column.name].astype("float64")
    return pd.DataFrame(features.compute(frame))


def predict(model: Model, body: Any) -> dict[str, Any]:
    """Answer a request: for each instance the probability of leaving, and the class.

    The model's own threshold decides between the classes, as it did when the model was judged.
    """
    table = read_instances(body)
    probabilities = model.predict(table).tolist() if len(table) else []
    return {
        "predictions": [
            {
                "class": model.class_names[int(chance >= model.threshold)],
                "attrition_probability": chance,
            }
            for chance in probabilities
        ]
    }


def application(model: Model, settings: ServingSettings) -> Starlette:
    """Return the server's two routes around a model."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(predict, model, await request.json()))
        except InstanceError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except ValueError as error:
            return JSONResponse({"error": f"the request is not JSON: {error}"}, status_code=400)

    return Starlette(
        routes=[
            Route(settings.health_route, health),
            Route(settings.predict_route, answer, methods=["POST"]),
        ]
    )


def main() -> None:
    """Serve the model that the environment names, until stopped.

    Listens on the loopback interface alone, unless `CHURN_SERVING_HOST` says otherwise, as the
    runtime image does: a container is reached from outside.
    """
    import uvicorn  # only the server itself needs it

    settings = ServingSettings.from_environment(os.environ)
    host = os.environ.get("CHURN_SERVING_HOST", "127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        model = load(fetch(settings.model_uri, Path(folder)))
    uvicorn.run(application(model, settings), host=host, port=settings.port, log_level="warning")


def _row(number: int, instance: Any) -> dict[str, Any]:
    if not isinstance(instance, dict):
        raise InstanceError(f"instance {number}: must be an object with the customer's columns")
    answers = sorted(set(map(str, instance)) & ANSWERS)
    if answers:
        raise InstanceError(f"instance {number}: {answers[0]} is not known beforehand")
    return {
        name: _value(number, column, instance.get(name)) for name, column in _DESCRIBING.items()
    }


def _value(number: int, column: Column, value: Any) -> Any:
    where = f"instance {number}: {column.name}"
    if column.kind == "category":
        if value is None:
            return UNKNOWN
        if value not in column.categories:
            raise InstanceError(f"{where}: {value!r} is no known category")
        return value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InstanceError(f"{where}: {value!r} is not a number")
    if not column.least <= value <= column.most:
        raise InstanceError(f"{where}: {value!r} is outside {column.least:g} to {column.most:g}")
    return value


if __name__ == "__main__":
    main()
