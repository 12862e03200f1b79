"""Hashes, encodings, identifiers.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions,
https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions.
"""

from __future__ import annotations

from gcp_local.bigquery.sql.queries.functions.signatures import Function, Python, function
from gcp_local.bigquery.sql.runtime import texts
from gcp_local.bigquery.sql.runtime.fingerprint import farm_fingerprint


def _hash(name: str, act: Python) -> Function:
    return function(name, ("STRING -> BYTES", act), ("BYTES -> BYTES", act))


FUNCTIONS = (
    function("FARM_FINGERPRINT", ("STRING -> INT64", Python(farm_fingerprint)),
             ("BYTES -> INT64", Python(farm_fingerprint))),
    _hash("MD5", Python(texts.md5)),
    _hash("SHA1", Python(texts.sha1)),
    _hash("SHA256", Python(texts.sha256)),
    _hash("SHA512", Python(texts.sha512)),
    function("TO_HEX", ("BYTES -> STRING", "lower(hex({0}))")),
    function("FROM_HEX", ("STRING -> BYTES", Python(texts.from_hex))),
    function("TO_BASE64", ("BYTES -> STRING", "to_base64({0})")),
    function("FROM_BASE64", ("STRING -> BYTES", Python(texts.from_base64))),
    function("TO_BASE32", ("BYTES -> STRING", Python(texts.to_base32))),
    function("FROM_BASE32", ("STRING -> BYTES", Python(texts.from_base32))),
    function("SAFE_CONVERT_BYTES_TO_STRING", ("BYTES -> STRING", Python(texts.decoded_safely))),
    function("CODE_POINTS_TO_BYTES", ("ARRAY<INT64> -> BYTES", Python(texts.bytes_from_codes))),
    function("GENERATE_UUID", ("-> STRING", "CAST(uuid() AS VARCHAR)")),
)  # fmt: skip
