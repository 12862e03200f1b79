from __future__ import annotations

import re

import pytest

from gcp_local.storage.methods import IMPLEMENTED, METHODS
from tests.gcp_local.emulators import Emulator


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_there_if_the_list_says_so(emulator: Emulator, name: str) -> None:
    verb, path = METHODS[name]
    path = re.sub(r"\{project\}", "my-project", path)
    root = "/upload/storage/v1/" if name == "objects.insert" else "/storage/v1/"
    answer = emulator.call(verb, root + re.sub(r"\{\w+\}", "nothing-here", path))

    error = answer.json().get("error", {})
    if name in IMPLEMENTED:
        assert answer.status_code in (200, 400, 404), error
        assert not error.get("message", "").startswith("Not found: "), error
    else:
        assert answer.status_code == 501
        assert error["message"].endswith(f"has no method storage.{name}.")
        assert error["errors"][0]["reason"] == "notImplemented"
