"""What a `$` in a build stands for: pure rules first, then builds that have or lack them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from google.api_core import exceptions

from gcp_local.builds.substitutions import applied, settled
from gcp_local.errors import InvalidArgument
from tests.gcp_local.builds.place import Place

VALUES = {"_A": "Hello/World.txt", "_EMPTY": "", "SHORT_SHA": "abc1234"}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("$_A", "Hello/World.txt"),
        ("x${_A}y", "xHello/World.txty"),
        ("$$_A $${_A} $$$$", "$_A ${_A} $$"),
        ("cost $5, ${lower}, $ {}", "cost $5, ${lower}, $ {}"),
        ("[$_NONE]", "[]"),
        ("$SHORT_SHA-1", "abc1234-1"),
        ("${_A:0:5}", "Hello"),
        ("${_A:6}", "World.txt"),
        ("${_A: -3}", "txt"),
        ("${_A^^}", "HELLO/WORLD.TXT"),
        ("${_A,}", "hello/World.txt"),
        ("${_A#*/}", "World.txt"),
        ("${_A##*l}", "d.txt"),
        ("${_A%.*}", "Hello/World"),
        ("${_A%%l*}", "He"),
        ("${_A/l/L}", "HeLlo/World.txt"),
        ("${_A//l/L}", "HeLLo/WorLd.txt"),
        ("${_A/l*o/-}", "He-rld.txt"),
        ("${_A//[eo]?/-}", "H-l-W-ld.txt"),
        ("${_A/*W*x/}", "t"),
        ("${_A//*/-}", "-"),
        ("${_A/#Hello/Bye}", "Bye/World.txt"),
        ("${_A/%.txt/.md}", "Hello/World.md"),
        ("${_EMPTY:-v${SHORT_SHA:0:3}}", "vabc"),
        ("${_A:-unused}", "Hello/World.txt"),
        ("${#_A}", "15"),
    ],
)
def test_a_text_is_substituted(text: str, becomes: str) -> None:
    assert applied(text, VALUES, dynamic=True) == becomes


def test_the_longest_value_is_searched_in_no_time() -> None:
    began = time.process_time()
    for pattern in ("a*b", "*a*a*a*b", "?*[!a]"):
        assert applied(f"${{_A//{pattern}/x}}", {"_A": "a" * 4000}, dynamic=True) == "a" * 4000
    assert time.process_time() - began < 2


def test_string_operations_stay_as_they_are_unless_they_are_asked_for() -> None:
    assert applied("${_A^^} ${_A}", VALUES, dynamic=False) == "${_A^^} Hello/World.txt"


def test_an_operation_that_cloud_build_has_not_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no string operation"):
        applied("${_A:x}", VALUES, dynamic=True)


def test_one_value_may_be_made_of_others_but_not_of_itself() -> None:
    given = {"_TAG": "v${SHORT_SHA:0:3}", "_IMAGE": "app:${_TAG}", "SHORT_SHA": "abc1234"}
    assert settled(given, dynamic=True)["_IMAGE"] == "app:vabc"
    assert settled(given, dynamic=False)["_IMAGE"] == "app:${_TAG}"
    with pytest.raises(InvalidArgument, match="made of itself"):
        settled({"_A": "$_B", "_B": "$_A"}, dynamic=True)


@pytest.mark.parametrize(
    ("arg", "build", "said"),
    [
        ("$_MISSING", {}, 'key in the template "_MISSING" is not matched in the substitution data'),
        (
            "x",
            {"substitutions": {"_UNUSED": "1"}},
            'key "_UNUSED" in the substitution data is not matched in the template',
        ),
        ("$NOT_OURS", {}, 'key in the template "NOT_OURS" is not a valid built-in substitution'),
        (
            "$NOT_OURS",
            {"options": {"substitution_option": "ALLOW_LOOSE"}},
            "not a valid built-in substitution",
        ),
        (
            "x",
            {"substitutions": {"lower": "1"}},
            'substitution key "lower" does not respect format',
        ),
        ("x", {"substitutions": {"PROJECT_ID": "1"}}, "not an overridable built-in"),
        ("$_A", {"substitutions": {"_A": "x" * 4001}}, "too long"),
    ],
)
def test_unmatched_and_unknown_keys_are_refused(
    place: Place, arg: str, build: dict[str, Any], said: str
) -> None:
    with pytest.raises(exceptions.BadRequest, match=said):
        place.start({"name": "bash", "args": ["-c", f"echo {arg}"]}, **build)


def test_loose_builds_take_nothing_for_what_is_missing(place: Place) -> None:
    build = place.start(
        {"name": "bash", "args": ["-c", "echo [$_MISSING]"]},
        substitutions={"_UNUSED": "1"},
        options={"substitution_option": "ALLOW_LOOSE"},
    )
    assert build.steps[0].args[1] == "echo []"
    place.client.cancel_build(name=build.name)


def test_a_build_is_told_with_its_substitutions_put_in(place: Place) -> None:
    account = "projects/${PROJECT_ID}/serviceAccounts/b@${PROJECT_ID}.iam.gserviceaccount.com"
    build = place.run(
        {"name": "ubuntu", "args": ["echo", "$SERVICE_ACCOUNT_EMAIL", "$COMMIT_SHA", "$BUILD_ID"]},
        {"name": "ubuntu", "args": ["echo", "${_NAME^^}"], "env": ["P=$PROJECT_NUMBER"]},
        substitutions={"_NAME": "x-${SHORT_SHA}", "COMMIT_SHA": "f00", "SHORT_SHA": "f"},
        service_account=account,
        logs_bucket="gs://${PROJECT_ID}-logs",
        tags=["of-${_NAME}"],
        options={"dynamic_substitutions": True},
    )
    email = f"b@{place.project}.iam.gserviceaccount.com"
    assert build.service_account.endswith(email)
    assert list(build.steps[0].args) == ["echo", email, "f00", build.id]
    assert build.steps[1].args[1] == "X-F"
    assert build.steps[1].env[0] == f"P={build.name.split('/')[1]}"
    assert build.logs_bucket == place.logs
    assert list(build.tags) == ["of-x-f"]
    assert f"Step #0: {email} f00 {build.id}\n" in place.log(build)
