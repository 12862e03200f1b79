"""Writes src/gcp_local/bigquery/surface.json from Google's discovery document of BigQuery's API.

    uv run --with google-api-python-client python -m tests.gcp_local.bigquery.write_surface

That client carries the document. Only names, types and enumerations are kept, one shape a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from gcp_local.bigquery.surface import FILE

_NAMES = {
    "projectsId": "projectId", "datasetsId": "datasetId", "tablesId": "tableId",
    "modelsId": "modelId", "routinesId": "routineId", "jobsId": "jobId", "queriesId": "jobId",
    "rowAccessPoliciesId": "policyId",
}  # fmt: skip


def main() -> None:
    """Write the file."""
    documents = files("googleapiclient") / "discovery_cache" / "documents"
    document = json.loads((documents / "bigquery.v2.json").read_text())
    shapes = {name: _shape(schema) for name, schema in sorted(document["schemas"].items())}
    methods = dict(sorted(_methods(document)))
    lines = [
        "{",
        f'"revision": {json.dumps(document["revision"])},',
        '"methods": {',
        ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in methods.items()),
        "},",
        '"shapes": {',
        ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in shapes.items()),
        "}",
        "}",
    ]
    FILE.write_text("\n".join(lines) + "\n")


def _methods(resource: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in resource.get("resources", {}).values():
        for method in part.get("methods", {}).values():
            query = {
                name: _type(said)
                for name, said in method["parameters"].items()
                if said["location"] == "query"
            }
            path = method.get("flatPath", method["path"])
            yield (
                method["id"],
                {
                    "verb": method["httpMethod"],
                    "path": re.sub(r"\{(\w+)\}", lambda match: f"{{{_NAMES[match[1]]}}}", path),
                    "query": query,
                    "request": method.get("request", {}).get("$ref"),
                    "response": method.get("response", {}).get("$ref"),
                },
            )
        yield from _methods(part)


def _shape(schema: dict[str, Any]) -> Any:
    if "properties" not in schema:
        return _type(schema)
    return {
        name: [_type(said), "output"] if said.get("readOnly") else _type(said)
        for name, said in schema["properties"].items()
    }


def _type(said: dict[str, Any]) -> Any:
    if "$ref" in said:
        return said["$ref"]
    if said["type"] == "array":
        return {"list": _type(said["items"])}
    if said["type"] == "object":
        if "additionalProperties" in said:
            return {"map": _type(said["additionalProperties"])}
        return {"object": _shape(said)} if said.get("properties") else {"object": {}}
    if "enum" in said:
        return {"enum": said["enum"]}
    return said.get("format") or said["type"]


if __name__ == "__main__":
    main()
