from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from google.cloud.bigquery import Client, Dataset

from gcp_local.bigquery.surface import Surface
from tests.gcp_local.emulators import Emulator

_PREFIX = "/bigquery/v2/"


@pytest.fixture
def client(emulator: Emulator, project: str) -> Client:
    """Google's client; every answer that it gets is held to Google's description of it."""
    client = Client(
        project=project,
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    client._http.hooks["response"].append(hold_to_surface)
    return client


@pytest.fixture
def dataset(client: Client) -> Dataset:
    return client.create_dataset(f"dataset_{uuid.uuid4().hex[:8]}")


class Rest:
    """BigQuery's REST API without a client, of one project."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self._emulator = emulator
        self._root = f"{_PREFIX}projects/{project}"

    def __call__(self, verb: str, path: str, body: Any = None, **said: Any) -> requests.Response:
        answer = self._emulator.call(verb, self._root + path, json=body, **said)
        if "fields" not in said.get("params", {}):
            hold_to_surface(answer)
        return answer

    def error(self, verb: str, path: str, body: Any = None, **said: Any) -> dict[str, Any]:
        answer = self(verb, path, body, **said)
        assert answer.status_code >= 400, answer.text
        return dict(answer.json()["error"])


@pytest.fixture
def rest(emulator: Emulator, project: str) -> Rest:
    return Rest(emulator, project)


def hold_to_surface(answer: requests.Response, *_: object, **__: object) -> None:
    assert answer.request.method is not None
    assert answer.request.url is not None
    path = urlsplit(answer.request.url).path
    if not path.startswith(_PREFIX) or answer.status_code in (204, 304):
        return
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["code"] == answer.status_code != 500, error
        assert error["errors"][0].keys() >= {"message", "domain", "reason"}
        return
    surface = Surface.load()
    method, _variables = surface.find(answer.request.method, path.removeprefix(_PREFIX))
    if method.response is None:
        assert not answer.content
    else:
        surface.check_answer(method.response, answer.json())


@pytest.fixture
def dataset_id(dataset: Dataset) -> str:
    return str(dataset.dataset_id)
