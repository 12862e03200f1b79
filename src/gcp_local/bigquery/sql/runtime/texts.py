"""Texts and bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from typing import TypeVar

from gcp_local.bigquery.sql.runtime.numbers import QueryError

# What Python takes for space, and Unicode's White_Space is not.
_NO_SPACE = (0x1C, 0x1D, 0x1E, 0x1F)
SPACES = "".join(
    chr(code) for code in range(0x3001) if chr(code).isspace() and code not in _NO_SPACE
)
_DELIMITERS = ' \t\n\r\f\v[](){}/|<>!?@"^#$&~_,.:;*%+-'
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_LONGEST = 1 << 20
Sequence = TypeVar("Sequence", str, bytes)


def _hold(name: str, size: int) -> None:
    if size > _LONGEST:
        raise QueryError(f"Output of {name} exceeds max allowed output size of 1MB")


def first_code(text: str) -> int:
    """Give the first character's code."""
    return ord(text[0]) if text else 0


def character(code: int) -> str:
    """Give the character of a code."""
    return from_codes([code]) if code else ""


def from_codes(codes: list[int]) -> str:
    """Put characters together by their codes."""
    try:
        return "".join(map(chr, codes))
    except (ValueError, OverflowError, TypeError):
        raise QueryError("Invalid codepoint in CODE_POINTS_TO_STRING") from None


def bytes_from_codes(codes: list[int]) -> bytes:
    """Put bytes together."""
    try:
        return bytes(codes)
    except (ValueError, TypeError):
        raise QueryError("Invalid extended ASCII code point in CODE_POINTS_TO_BYTES") from None


def codes(text: str) -> list[int]:
    """Give the characters' codes."""
    return [ord(each) for each in text]


def contains_folded(text: str, part: str) -> bool:
    """Tell whether a text contains another, whatever the case."""
    return normalize_folded(part, "NFKC") in normalize_folded(text, "NFKC")


def initcap(text: str, delimiters: str = _DELIMITERS) -> str:
    """Make each word's first letter large, the others small."""
    found, start = [], True
    for each in text:
        found.append(each.upper() if start else each.lower())
        start = each in delimiters
    return "".join(found)


def instr(text: str, part: str, position: int = 1, occurrence: int = 1) -> int:
    """Find where a text contains another, counting from 1; backwards from a negative position."""
    if position == 0 or occurrence < 1:
        raise QueryError("INSTR: position must not be 0, occurrence must be positive")
    if position > 0:
        at = position - 2
        for _ in range(occurrence):
            at = text.find(part, at + 1)
            if at < 0:
                return 0
        return at + 1
    at = len(text) + position + 1
    for _ in range(occurrence):
        at = text.rfind(part, 0, at - 1 + len(part))
        if at < 0:
            return 0
    return at + 1


def left(text: Sequence, count: int) -> Sequence:
    """Give the first characters."""
    if count < 0:
        raise QueryError("The second argument of LEFT() must be non-negative")
    return text[:count]


def right(text: Sequence, count: int) -> Sequence:
    """Give the last characters."""
    if count < 0:
        raise QueryError("The second argument of RIGHT() must be non-negative")
    return text[-count:] if count else text[:0]


def _padding(text: str, length: int, pattern: str) -> str:
    if length < 0 or not pattern:
        raise QueryError("Pad length must be non-negative, and the pattern must not be empty")
    _hold("LPAD or RPAD", length)
    missing = length - len(text)
    return (pattern * (missing // len(pattern) + 1))[:missing]


def lpad(text: str, length: int, pattern: str = " ") -> str:
    """Fill up on the left."""
    padding = _padding(text, length, pattern)
    return text[:length] if length <= len(text) else padding + text


def rpad(text: str, length: int, pattern: str = " ") -> str:
    """Fill up on the right."""
    padding = _padding(text, length, pattern)
    return text[:length] if length <= len(text) else text + padding


def normalize(text: str, form: str = "NFC") -> str:
    """Bring to a normal form of Unicode."""
    if form not in _FORMS:
        raise QueryError(f"{form} is no normalization mode")
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


def normalize_folded(text: str, form: str = "NFC") -> str:
    """Bring to a normal form in which case does not matter."""
    return normalize(normalize(text, form).casefold(), form)


def regexp_extract(text: str, pattern: str) -> str | None:
    """Give what matches, or the group of it."""
    try:
        found = re.search(pattern, text)
    except re.error as error:
        raise QueryError(f"Cannot parse regular expression: {error}") from None
    return (found[1] if found.re.groups else found[0]) if found else None


def regexp_instr(text: str, pattern: str) -> int:
    """Tell where something matches."""
    try:
        found = re.search(pattern, text)
    except re.error as error:
        raise QueryError(f"Cannot parse regular expression: {error}") from None
    return found.start(1 if found.re.groups else 0) + 1 if found else 0


def repeat(text: Sequence, count: int) -> Sequence:
    """Repeat."""
    if count < 0:
        raise QueryError("Repetitions must be non-negative")
    _hold("REPEAT", len(text) * count)
    return text * count


def replace(text: str, part: str, other: str) -> str:
    """Put a text in another's place."""
    return text.replace(part, other) if part else text


def soundex(text: str) -> str:
    """Give the Soundex code."""
    groups = {"BFPV": "1", "CGJKQSXZ": "2", "DT": "3", "L": "4", "MN": "5", "R": "6"}
    digits = {letter: digit for letters, digit in groups.items() for letter in letters}
    letters = [each for each in text.upper() if "A" <= each <= "Z"]
    if not letters:
        return ""
    found, before = letters[0], digits.get(letters[0], "")
    for each in letters[1:]:
        digit = digits.get(each, "")
        if digit and digit != before:
            found += digit
        if each not in "HW":
            before = digit
    return (found + "000")[:4]


def split(text: str, delimiter: str = ",") -> list[str]:
    """Cut at a delimiter."""
    if not text:
        return [""]
    return text.split(delimiter) if delimiter else list(text)


def substring(text: Sequence, position: int, length: int = 2**62) -> Sequence:
    """Give part of a text, counting from 1; from its end at a negative position."""
    if length < 0:
        raise QueryError("Third argument in SUBSTR() cannot be negative")
    start = max(len(text) + position, 0) if position < 0 else max(position - 1, 0)
    return text[start : start + length]


def translate(text: str, source: str, target: str) -> str:
    """Put characters in others' place."""
    if len(set(source)) != len(source):
        raise QueryError("Duplicate character in TRANSLATE source characters")
    table: dict[int, str | None] = {
        ord(each): target[at] if at < len(target) else None for at, each in enumerate(source)
    }
    return text.translate(table)


def _data(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def md5(value: str | bytes) -> bytes:
    """Hash."""
    return hashlib.md5(_data(value), usedforsecurity=False).digest()


def sha1(value: str | bytes) -> bytes:
    """Hash."""
    return hashlib.sha1(_data(value), usedforsecurity=False).digest()


def sha256(value: str | bytes) -> bytes:
    """Hash."""
    return hashlib.sha256(_data(value)).digest()


def sha512(value: str | bytes) -> bytes:
    """Hash."""
    return hashlib.sha512(_data(value)).digest()


def from_hex(text: str) -> bytes:
    """Read hexadecimal digits."""
    try:
        return bytes.fromhex(text if len(text) % 2 == 0 else f"0{text}")
    except ValueError:
        raise QueryError(f"Failed to decode invalid hexadecimal string: {text}") from None


def from_base64(text: str) -> bytes:
    """Read Base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise QueryError("Failed to decode invalid base64 string") from None


def to_base32(value: bytes) -> str:
    """Write Base32."""
    return base64.b32encode(value).decode()


def from_base32(text: str) -> bytes:
    """Read Base32."""
    try:
        return base64.b32decode(text)
    except (binascii.Error, ValueError):
        raise QueryError("Failed to decode invalid base32 string") from None


def decoded_safely(value: bytes) -> str:
    """Read UTF-8, with U+FFFD for what is none."""
    return value.decode(errors="replace")
