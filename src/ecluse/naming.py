"""Names that Google Cloud accepts, made from what we have: run ids, labels, package names.

Vertex AI's rules (from its protos): a run's id is `[a-z0-9-]`, at most 127 characters; a label's
value is lower case, digits, `_` and `-`, at most 63. Versions (`v1.4.0`), e-mail addresses and
digests break them, so labels have one encoding, used everywhere:

| in the value         | in the label            | example                             |
| -------------------- | ----------------------- | ----------------------------------- |
| `a-z` `0-9` `-`      | itself                  |                                     |
| `.`                  | `_d`                    | `v1.4.0` → `v1_d4_d0`               |
| `@`                  | `_a`                    | `ann@acme.com` → `ann_aacme_dcom`   |
| `_`                  | `__`                    | `cost_centre` → `cost__centre`      |
| `A-Z`                | `_u` and the small one  | `Ann` → `_uann`                     |
| anything else        | `_x`, its code in hex, `_` | `+` → `_x2b_`                    |
| more than 63 in all  | the first 52, `_h`, 9 hex digits of the value's sha256 |      |
| a digest             | its first 40 hex digits |                                     |

`decode_label` reverses all but the last two rows.
"""

import hashlib
import re

_LABEL_LENGTH = 63
_RUN_ID_LENGTH = 127
_TRIGGER_LENGTH = 64
_DIGEST_DIGITS = 40
_MARKS = {".": "_d", "@": "_a", "_": "__"}
_ENCODED = re.compile(r"_x([0-9a-f]+)_|_u([a-z])|_([da_])")


def label(value: str) -> str:
    """Return a value as a label, by the table above."""
    if value.startswith("sha256:"):
        return value.removeprefix("sha256:")[:_DIGEST_DIGITS]
    encoded = "".join(_encode(character) for character in value)
    if len(encoded) <= _LABEL_LENGTH:
        return encoded
    return f"{encoded[:52]}_h{hashlib.sha256(value.encode()).hexdigest()[:9]}"


def decode_label(encoded: str) -> str:
    """Return the value that `label` encoded (not for digests or values that were cut)."""
    decoded = {"d": ".", "a": "@", "_": "_"}

    def character(match: re.Match[str]) -> str:
        code, capital, mark = match.groups()
        if code:
            return chr(int(code, 16))
        return capital.upper() if capital else decoded[mark]

    return _ENCODED.sub(character, encoded)


def _encode(character: str) -> str:
    if character.isascii() and (character.islower() or character.isdigit() or character == "-"):
        return character
    if character in _MARKS:
        return _MARKS[character]
    if character.isascii() and character.isupper():
        return f"_u{character.lower()}"
    return f"_x{ord(character):x}_"


def package_name(pipeline_name: str) -> str:
    """Return the Artifact Registry package of a compiled pipeline, named as Google names it."""
    return pipeline_name.lower().replace("_", "-")


def run_id(*, package: str, environment: str, subject: str, attempt: int) -> str:
    """Return the id of a run, the same whenever the same thing is tried for the same time.

    Args:
        package: the compiled pipeline's package.
        environment: where it runs.
        subject: the digest of what is tried (pipeline, settings and release).
        attempt: 1 for the first try.

    """
    return _joined(package, f"-{environment}-{subject.removeprefix('sha256:')[:10]}-{attempt}")


def _joined(package: str, tail: str) -> str:
    """Return a run's id, the package shortened where it is too long."""
    head = re.sub(r"[^a-z0-9-]", "-", package.lower())
    if len(head) + len(tail) > _RUN_ID_LENGTH:
        head = f"{head[:80]}-{hashlib.sha256(package.encode()).hexdigest()[:8]}"
    return f"{head}{re.sub(r'[^a-z0-9-]', '-', tail)}"


def trigger_name(*, environment: str, pipeline: str, topic: str) -> str:
    """Return the name of a pipeline's trigger on a topic: letters, digits and `-`, 64 at most.

    What is cut, or is no such character, is told apart by the hash at the end.
    """
    told = hashlib.sha256(f"{environment} {pipeline} {topic}".encode()).hexdigest()[:8]
    head = re.sub(r"[^a-z0-9]+", "-", f"ecluse-{environment}-{pipeline}".lower())
    return f"{head[: _TRIGGER_LENGTH - len(told) - 1].rstrip('-')}-{told}"


def started_run_id(*, package: str, environment: str, cause: str) -> str:
    """Return the id of a run of what is live, the same for the same cause.

    Args:
        package: the compiled pipeline's package.
        environment: where it runs.
        cause: what started it: a message of a topic, or anything unique.

    """
    tail = f"-{environment}-on-{hashlib.sha256(cause.encode()).hexdigest()[:20]}"
    return _joined(package, tail)
