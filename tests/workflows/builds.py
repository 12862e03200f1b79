"""Cloud Build configurations, checked as strictly as Cloud Build reads them, and more.

Google's proto refuses unknown fields, wrong types and misspelt values. What it lets through and a
trigger only finds out when it runs is checked here: steps that wait for nothing, substitutions that
nobody declared or nobody uses, a `$` that Cloud Build would take for one. So are this project's own
rules: an identity for each build, logs in a bucket, images by digest, no shell.

Run as `python -m tests.workflows.builds FILE…` it checks files and says what is wrong.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from google.cloud.devtools import cloudbuild_v1
from google.protobuf import json_format

from tests.workflows import strict_yaml

Config: TypeAlias = Mapping[str, Any]

# https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
BUILT_IN = frozenset(
    {"PROJECT_ID", "PROJECT_NUMBER", "LOCATION", "BUILD_ID", "TRIGGER_NAME", "COMMIT_SHA",
     "REVISION_ID", "SHORT_SHA", "REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME",
     "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH", "SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT"}
)  # fmt: skip
_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Z0-9_]+)\}|([A-Z_][A-Z0-9_]*)|)")
_USER_DEFINED = re.compile(r"_[A-Z0-9_]+")
_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_DURATION = re.compile(r"[1-9][0-9]*s")
_SHELLS = frozenset({"bash", "sh", "/bin/bash", "/bin/sh"})


def problems(text: str) -> list[str]:
    """Return what is wrong with a build configuration, one line each; nothing when it is right."""
    try:
        config = strict_yaml.load(text)
    except yaml.YAMLError as error:
        return [f"not readable: {' '.join(str(error).split())}"]
    if not isinstance(config, dict):
        return ["a build is a mapping"]
    try:
        json_format.ParseDict(config, cloudbuild_v1.Build()._pb)
    except json_format.ParseError as error:
        return [f"Cloud Build refuses it: {error}"]
    return [
        *_problems_of_steps(config),
        *_problems_of_substitutions(config),
        *_problems_of_identity(config),
        *_problems_of_images(config),
    ]


def _problems_of_steps(config: Config) -> Iterator[str]:
    steps = config.get("steps") or []
    if not steps:
        yield "there are no steps"
    before = set[str]()
    for number, step in enumerate(steps, start=1):
        shown = f"step {step.get('id', number)}"
        if "id" not in step:
            yield f"{shown} has no id"
        if step.get("id") in before:
            yield f"{shown} stands there twice"
        for other in step.get("waitFor", []):
            if other != "-" and other not in before:
                yield f"{shown} waits for `{other}`, which no earlier step is called"
        if "script" in step or step.get("entrypoint") in _SHELLS:
            yield f"{shown} is a shell script: a step is a command a person could type"
        if "push" in step.get("args", [])[:1]:
            yield f"{shown} pushes an image: list it under `images`, or it has no provenance"
        before.add(str(step.get("id")))


def _problems_of_substitutions(config: Config) -> Iterator[str]:
    declared = set(config.get("substitutions") or {})
    for name in sorted(declared):
        if not _USER_DEFINED.fullmatch(name):
            yield f"substitution {name}: a name of our own starts with `_` and is in capitals"
    used = set[str]()
    for text in _texts({key: value for key, value in config.items() if key != "substitutions"}):
        for match in _REFERENCE.finditer(text):
            name = match[2] or match[3]
            if match[1]:
                continue
            if name is None:
                yield f"`{text}`: a `$` that is no substitution is written `$$`"
            elif name.startswith("_"):
                used.add(name)
            elif name not in BUILT_IN:
                yield f"`{text}`: Cloud Build has no substitution {name}"
    for name in sorted(used - declared):
        yield f"substitution {name} is used, but not declared"
    for name in sorted(declared - used):
        yield f"substitution {name} is declared, but not used"


def _problems_of_identity(config: Config) -> Iterator[str]:
    options = config.get("options") or {}
    if not re.fullmatch(
        r"projects/\$\{PROJECT_ID\}/serviceAccounts/[a-z-]+@\$\{PROJECT_ID\}\.iam\.gserviceaccount\.com",
        config.get("serviceAccount", ""),
    ):
        yield "serviceAccount: name one of its project, or the build runs as the default account"
    if not config.get("logsBucket", "").startswith("gs://"):
        yield "logsBucket: without a bucket nobody can follow the build's log"
    if options.get("logging") != "GCS_ONLY":
        yield "options.logging: GCS_ONLY, so that the log is where logsBucket says"
    if options.get("substitutionOption") != "MUST_MATCH":
        yield "options.substitutionOption: MUST_MATCH, so that a misspelt substitution is refused"
    if not _DURATION.fullmatch(config.get("timeout", "")):
        yield "timeout: say how long the build may take, such as 1800s"


def _problems_of_images(config: Config) -> Iterator[str]:
    substitutions = config.get("substitutions") or {}
    for step in config.get("steps") or []:
        name = step.get("name", "")
        given = re.fullmatch(r"\$\{(_[A-Z0-9_]+)\}", name)
        image = substitutions.get(given[1], "") if given else name
        if not (_BY_DIGEST.fullmatch(image) or (given and image == "")):
            yield f"step {step.get('id')} runs in `{image or name}`: name the image by digest"
    built = any(step.get("args", [])[:1] == ["build"] and "entrypoint" not in step
                for step in config.get("steps") or [])  # fmt: skip
    if built and not config.get("images"):
        yield "images: list what the build makes, or it is not pushed"
    if (
        config.get("images")
        and (config.get("options") or {}).get("requestedVerifyOption") != "VERIFIED"
    ):
        yield "options.requestedVerifyOption: VERIFIED, so that no image comes without provenance"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


if __name__ == "__main__":
    answer = [
        f"{argument}: {problem}"
        for argument in sys.argv[1:]
        for problem in problems(Path(argument).read_text(encoding="utf-8"))
    ]
    sys.stderr.writelines(f"{line}\n" for line in answer)
    sys.exit(1 if answer else 0)
