"""Serves a stand-in for AutoML's tabular model, as a serving container by the AIP_* contract."""

from __future__ import annotations

import os
import sys
import urllib.error
from typing import TYPE_CHECKING
from urllib.parse import quote

from gcp_local.vertex.serving.prebuilt import UnservableError, get, listen
from gcp_local.vertex.training.stand_in.model import TabularModel
from gcp_local.vertex.training.stand_in.names import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping


def fetch(variables: Mapping[str, str]) -> TabularModel:
    """Read the model that the variables name.

    Raises:
        UnservableError: it is not there, or is something else.

    """
    uri, host = variables["AIP_STORAGE_URI"], variables["STORAGE_EMULATOR_HOST"]
    bucket, _, folder = uri.removeprefix("gs://").partition("/")
    name = quote(f"{folder}/{MODEL_FILE}", safe="")
    try:
        return TabularModel.load(get(f"{host}/storage/v1/b/{bucket}/o/{name}?alt=media"))
    except (urllib.error.HTTPError, ValueError) as error:
        raise UnservableError(f"{uri}/{MODEL_FILE} cannot be read: {error}") from error


if __name__ == "__main__":
    try:
        listen(os.environ, fetch(os.environ).predict)
    except UnservableError as error:
        sys.exit(f"The model cannot be served: {error}.")
