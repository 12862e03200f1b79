"""The way back, decided from histories alone."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ecluse.canonical import digest_of
from ecluse.errors import InvalidInput, NoWayBack
from ecluse.ledger.records import Entry, Head
from ecluse.promotion.return_plan import (
    Histories,
    as_of,
    candidates,
    is_release,
    refuse_shared_packages,
    returned_to,
    undone,
)
from ecluse.promotion.returns import Return, ReturnPlan


def entry(sequence: int, content: str, *, token: int, version: str = "", **more: Any) -> Entry:
    """Return an entry that makes some bytes live; `-` retires, `<N` goes back to the N-th."""
    return Entry.model_validate(
        {
            "sequence": sequence,
            "token": token,
            "action": "activate",
            "package": "alpha",
            "digest": digest_of(content.encode()),
            "code_digest": digest_of(b"code"),
            "runtime_image": None,
            "compiler": "kfp",
            "settings": {},
            "settings_digest": digest_of(b"{}"),
            "declared": (),
            "parameters": {},
            "release": digest_of((version or str(token)).encode()),
            "commit": digest_of(version.encode()).removeprefix("sha256:")[:40],
            "version": version or None,
            "run": "run",
            "metrics": {},
            "qualification": "gs://evidence/q",
            "at": datetime(2026, 11, 22, tzinfo=UTC),
            "by": "ann",
            **more,
        }
    )


def story(*said: str, version: str = "v{}") -> list[Entry]:
    """Return a history, the newest first: `A` goes live, `-` retires, `<2` returns to entry 2."""
    made: list[Entry] = []
    for number, words in enumerate(said, start=1):
        if words == "-":
            last = made[-1]
            made.append(
                last.model_copy(
                    update={
                        "sequence": number,
                        "token": number,
                        "action": "retire",
                        "restores": None,
                        "version": version.format(number),
                    }
                )
            )
        elif words.startswith("<"):
            origin = int(words[1:])
            content = made[origin - 1] if origin else made[-1]
            action = "rollback" if origin and content.is_live else "retire"
            changed = {"sequence": number, "token": number, "restores": origin, "action": action}
            made.append(content.model_copy(update=changed))
        else:
            made.append(entry(number, words, token=number, version=version.format(number)))
    return made[::-1]


def histories(stories: Mapping[str, Sequence[Entry]]) -> tuple[Head, Histories]:
    head = Head(environment="prod", pipelines={name: told[0] for name, told in stories.items()})

    def opened(name: str) -> Iterator[Entry]:
        return iter(stories[name])

    return head, Histories(opened, lambda function, names: [function(name) for name in names])


@pytest.mark.parametrize(
    ("said", "back_to"),
    [
        (["A"], []),
        (["A", "B"], [1]),
        (["A", "B", "C"], [2, 1]),
        # The same again is no way back.
        (["A", "A", "B", "B"], [2, 1]),
        (["A", "B", "A", "A"], [2]),
        # What was rolled back is never gone back to.
        (["A", "B", "<1"], []),
        (["A", "B", "<1", "C"], [1]),
        (["A", "B", "C", "<2"], [1]),
        (["A", "B", "C", "<2", "<1"], []),
        (["A", "B", "C", "<2", "D", "<2", "E"], [2, 1]),
        # Forward again after going back too far.
        (["A", "B", "C", "<1", "<2"], [1]),
        # A retired pipeline comes back, and a retirement is nothing to go back to.
        (["A", "-"], [1]),
        (["A", "-", "B"], [1]),
        (["A", "-", "A"], []),
        (["A", "B", "-", "C"], [2, 1]),
        # Taken out by going back to before it was there.
        (["A", "<0"], []),
        (["A", "<0", "B"], []),
    ],
)
def test_the_nearest_other_entry_comes_first(said: list[str], back_to: list[int]) -> None:
    assert [found.sequence for found in candidates(story(*said))] == back_to


def test_the_newest_promotion_is_that_of_the_greatest_token_also_once_it_was_rolled_back() -> None:
    head, read = histories(
        {
            "alpha": [entry(2, "B", token=3, version="v2"), entry(1, "A", token=1, version="v1")],
            "beta": [entry(2, "B", token=2, version="v2"), entry(1, "A", token=1, version="v1")],
            "gamma": [entry(1, "A", token=1, version="v1")],
            "delta": [
                entry(3, "A", token=4, version="v1", action="rollback", restores=1),
                entry(2, "B", token=3, version="v2"),
                entry(1, "A", token=1, version="v1"),
            ],
        }
    )
    newest, changed = undone(head, read)
    assert newest.version == "v2"
    assert list(changed) == ["alpha", "beta", "delta"]
    assert changed["delta"].restores == 1


def test_an_environment_as_of_a_release_is_read_no_further_than_that() -> None:
    read: list[tuple[str, int]] = []
    stories = {
        "alpha": story("A", "B", "C"),
        "beta": [entry(1, "A", token=1, version="v1"), entry(0, "!", token=0)],
        "gamma": [entry(1, "A", token=3, version="v3")],
    }

    def opened(name: str) -> Iterator[Entry]:
        for told in stories[name]:
            read.append((name, told.sequence))
            yield told

    head = Head(environment="prod", pipelines={name: told[0] for name, told in stories.items()})
    looked = Histories(opened, lambda function, names: [function(name) for name in names])
    found, then = as_of(head, looked, is_release("v2", None), "v2")
    assert found.version == "v2"
    assert {name: told.sequence if told else None for name, told in then.items()} == {
        "alpha": 2,
        "beta": 1,
        "gamma": None,
    }
    assert ("alpha", 1) not in read
    assert ("beta", 0) not in read


def test_a_release_that_was_promoted_in_parts_is_taken_whole() -> None:
    head, read = histories(
        {
            "alpha": [entry(2, "C", token=4, version="v3"), entry(1, "A", token=2, version="v2")],
            "beta": [entry(2, "C", token=4, version="v3"), entry(1, "B", token=3, version="v2")],
        }
    )
    _, then = as_of(head, read, is_release("v2", None), "v2")
    assert {name: told.sequence for name, told in then.items() if told} == {"alpha": 1, "beta": 1}


def test_what_a_rollback_restored_is_no_promotion_of_that_release() -> None:
    head, read = histories({"alpha": story("A", "B", "<1")})
    _, then = as_of(head, read, is_release("v1", None), "v1")
    assert then["alpha"] == story("A")[0]
    with pytest.raises(InvalidInput, match="`v9` changed nothing in prod") as refused:
        as_of(*histories({"alpha": story("A", "B", "<1")}), is_release("v9", None), "v9")
    assert refused.value.fix == "name a release that did: v2, v1"


@pytest.mark.parametrize(
    ("text", "commit", "means"),
    [
        ("v1.4.0", None, True),
        ("v1.4", None, False),
        ("v1.4.0", "f" * 40, True),
        ("some-branch", None, False),
        ("abc", None, False),
    ],
)
def test_a_release_is_called_by_its_version(text: str, commit: str | None, means: bool) -> None:
    assert is_release(text, commit)(entry(1, "A", token=1, version="v1.4.0")) is means


def test_a_release_is_called_by_its_commit_or_its_manifest() -> None:
    told = entry(1, "A", token=1, version="v1.4.0")
    for text in (told.commit, told.commit[:7], told.release, told.release[: len("sha256:") + 7]):
        assert is_release(text, None)(told)
    assert is_release("main", told.commit)(told)
    for text in (told.commit[:6], "sha256:", told.release[:10], told.commit.upper()):
        assert not is_release(text, None)(told)


@pytest.mark.parametrize(
    ("said", "then", "kind", "restores"),
    [
        (["A", "B"], 1, "rollback", 1),
        (["A", "B", "A"], 1, None, None),
        (["A", "B", "<1"], 1, "already", None),
        (["A", "B", "<1", "C"], 3, "rollback", 1),
        (["A", "-", "B"], 2, "retire", 2),
        (["A", "-"], 2, None, None),
        (["A", "B"], None, "retire", 0),
        (["A", "-"], None, None, None),
        (["A", "<0"], None, "already", None),
        (["A", "<0", "B"], 2, "retire", 0),
        (["A", "B", "-"], 1, "rollback", 1),
    ],
)
def test_a_pipeline_becomes_what_it_was(
    said: list[str], then: int | None, kind: str | None, restores: int | None
) -> None:
    told = story(*said)
    was = next((found for found in told if found.sequence == then), None)
    back = returned_to("alpha", told[0], was)
    assert (back.kind if back else None) == kind
    if back is not None and back.changes:
        assert back.restores == restores


def test_two_pipelines_of_one_package_cannot_both_be_live() -> None:
    # `alpha` was renamed to `beta`, which keeps the package.
    head, _ = histories({"alpha": story("A", "-"), "beta": [entry(1, "B", token=2, version="v2")]})
    alpha = Return("alpha", "rollback", head.pipelines["alpha"], story("A")[0], 1)
    with pytest.raises(NoWayBack, match="`alpha` and `beta` are one package"):
        refuse_shared_packages(head, ReturnPlan("prod", "undo v2", None, (alpha,)))
    beta = Return("beta", "retire", head.pipelines["beta"], None, 0)
    refuse_shared_packages(head, ReturnPlan("prod", "back to v1", None, (alpha, beta)))
