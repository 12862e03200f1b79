"""The metadata server, as google.auth finds it in a component's process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.gcp_local.emulators import Emulator

PROGRAM = """
import json, google.auth, google.auth.transport.requests as transport
credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(transport.Request())
print(json.dumps([type(credentials).__module__, project, credentials.token,
                  credentials.service_account_email]))
"""


def test_google_auth_takes_its_identity_from_it(emulator: Emulator) -> None:
    host = emulator.endpoint.removeprefix("http://")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    module, project, token, email = json.loads(done.stdout)
    assert module == "google.auth.compute_engine.credentials"
    assert project == "gcp-local"
    assert "dummy" in token
    assert email.endswith("@developer.gserviceaccount.com")


def test_it_answers_only_those_who_know_it(emulator: Emulator) -> None:
    path = "/computeMetadata/v1/project/project-id"
    assert emulator.call("GET", path).status_code == 403
    known = emulator.call("GET", path, headers={"Metadata-Flavor": "Google"})
    assert (known.text, known.headers["Metadata-Flavor"]) == ("gcp-local", "Google")
    missing = emulator.call(
        "GET", "/computeMetadata/v1/instance/secrets", headers={"Metadata-Flavor": "Google"}
    )
    assert missing.status_code == 404
