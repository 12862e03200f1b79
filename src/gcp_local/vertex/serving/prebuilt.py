"""Stands in for Google's prebuilt prediction images: `python -m gcp_local.vertex.serving.prebuilt`.

It serves XGBoost models in XGBoost's own formats. What Google's images also load, pickles, can hold
any program and are never opened here.
https://cloud.google.com/vertex-ai/docs/predictions/pre-built-containers
"""

from __future__ import annotations

import json
import math
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

MODELS = ("model.bst", "model.json", "model.ubj")
_PICKLES = ("model.pkl", "model.joblib")
Predict = Callable[[list[Any]], list[Any]]


class UnservableError(Exception):
    """The model's folder holds nothing that can be served here; the message says why."""


class InstancesError(ValueError):
    """The instances are not what the model takes."""


def choose(names: list[str]) -> str:
    """Choose the model among the files of a model's folder.

    Raises:
        UnservableError: there is not exactly one, or only a pickle.

    """
    found = [name for name in MODELS if name in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnservableError(f"the model's folder holds {' and '.join(found)}: one is needed")
    pickles = [name for name in _PICKLES if name in names]
    if pickles:
        raise UnservableError(
            f"{pickles[0]} is a pickle, which can hold any program and is not opened by the"
            " embedded cloud. Save the model in XGBoost's own format as model.bst, or serve it by"
            " a container of your own"
        )
    raise UnservableError(
        f"the model's folder holds none of {', '.join(MODELS)}. Other frameworks' models are not"
        " served by the embedded cloud's prebuilt containers; serve them by one of your own"
    )


def fetch(uri: str, host: str) -> tuple[str, bytes]:
    """Read the model's file from its folder in Cloud Storage: its name and bytes.

    Raises:
        UnservableError: see `choose`; or there is no such folder.

    """
    bucket, _, folder = uri.removeprefix("gs://").partition("/")
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    objects = f"{host}/storage/v1/b/{quote(bucket, safe='')}/o"
    try:
        listed = json.loads(get(f"{objects}?delimiter=/&prefix={quote(prefix, safe='')}"))
        names = [item["name"].removeprefix(prefix) for item in listed.get("items", ())]
        name = choose(names)
        return name, get(f"{objects}/{quote(prefix + name, safe='')}?alt=media")
    except urllib.error.HTTPError as error:
        raise UnservableError(f"{uri!r} cannot be read: {error}") from error


def get(url: str) -> bytes:
    """Read what an address answers; HTTPError if it refuses."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def load(content: bytes) -> Predict:
    """Make the function that predicts on a request's instances.

    Raises:
        UnservableError: XGBoost is not installed, or cannot read the file.

    """
    try:
        import numpy as np
        import xgboost
    except ImportError as error:
        raise UnservableError(
            f"XGBoost is not installed beside the embedded cloud: {error}"
        ) from error
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise UnservableError(f"XGBoost cannot read the model: {error}") from error
    features = booster.num_features()

    def predict(instances: list[Any]) -> list[Any]:
        try:
            rows = [[math.nan if value is None else value for value in row] for row in instances]
            table = np.array(rows, dtype="float32")
        except (TypeError, ValueError) as error:
            raise InstancesError(f"each instance must be a list of numbers: {error}") from error
        if table.ndim != 2 or table.shape[1] != features:
            shape = "x".join(map(str, table.shape))
            raise InstancesError(f"each instance must have {features} numbers; got {shape}")
        # The container gets bare lists: which column is which is not in the request.
        answer: list[Any] = booster.inplace_predict(table, validate_features=False).tolist()
        return answer

    return predict


def answer(body: bytes, predict: Predict) -> tuple[int, dict[str, Any]]:
    """Answer one prediction request: the status and the JSON."""
    try:
        said = json.loads(body)
        instances = said.get("instances") if isinstance(said, dict) else None
        if not isinstance(instances, list):
            return 400, {"error": 'the request must be {"instances": [...]}'}
        return 200, {"predictions": predict(instances) if instances else []}
    except ValueError as error:
        return 400, {"error": str(error)}


def serve(variables: Mapping[str, str]) -> None:
    """Serve the model that the variables name, until stopped."""
    name, content = fetch(variables["AIP_STORAGE_URI"], variables["STORAGE_EMULATOR_HOST"])
    sys.stderr.write(f"serving {name}\n")
    listen(variables, load(content))


def listen(variables: Mapping[str, str], predict: Predict) -> None:
    """Answer on the routes that the variables name, until stopped."""
    routes = {"GET": variables["AIP_HEALTH_ROUTE"], "POST": variables["AIP_PREDICT_ROUTE"]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == routes["GET"]
            self._reply(200 if found else 404, {"status": "ready"} if found else {})

        def do_POST(self) -> None:
            if self.path != routes["POST"]:
                self._reply(404, {"error": "no such route"})
                return
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            self._reply(*answer(body, predict))

        def _reply(self, status: int, said: Mapping[str, Any]) -> None:
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", int(variables["AIP_HTTP_PORT"])), Handler)
    server.serve_forever()


if __name__ == "__main__":
    try:
        serve(os.environ)
    except UnservableError as error:
        sys.exit(f"The model cannot be served: {error}.")
