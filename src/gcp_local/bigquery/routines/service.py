"""The methods of `routines`, but for those of access policies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery import locations, names
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.merging import check_common, check_lacking
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.routines.statements import statement_of
from gcp_local.bigquery.sql.scripts.steps import Unkept
from gcp_local.bigquery.sql.session import Session

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.sql.scripts.runner import Scripts

_NOUN = "routine"
_TYPES = ("SCALAR_FUNCTION", "TABLE_VALUED_FUNCTION", "PROCEDURE")
_LACKING = {
    "dataGovernanceType": "functions that mask data",
    "externalRuntimeOptions": "external runtimes",
    "importedLibraries": "routines in JavaScript",
    "pythonOptions": "routines in Python",
    "remoteFunctionOptions": "remote functions",
    "sparkOptions": "procedures on Spark",
    "securityMode": "routines with a security mode",
}
_ALWAYS = ("routineReference",)
_LISTED = (
    "etag", "routineReference", "routineType", "creationTime", "lastModifiedTime", "language",
)  # fmt: skip
_FILTER = re.compile(r"routineType:([A-Z_]+)")


class RoutineService:
    """`bigquery.routines`."""

    def __init__(self, catalog: Catalog, scripts: Scripts) -> None:
        self._catalog = catalog
        self._scripts = scripts

    def routines_insert(self, call: Call) -> dict[str, Any]:
        """Make a routine."""
        home = DatasetRef(call.project, call.variables["datasetId"])
        body = dict(call.body)
        ref = names.member_of(home, body.pop("routineReference", {}), noun=_NOUN)
        body = self._checked(ref, body)
        return _described(ref, self._catalog.add(ref, body, _NOUN))

    def routines_get(self, call: Call) -> dict[str, Any]:
        """Answer a routine."""
        ref = _ref(call)
        whole = _described(ref, self._catalog.get(ref, _NOUN))
        return _masked(whole, call.query.get("readMask"))

    def routines_list(self, call: Call) -> dict[str, Any]:
        """Answer a dataset's routines: their names, types and times, or what `readMask` names."""
        home = DatasetRef(call.project, call.variables["datasetId"])
        self._catalog.dataset(home)
        wanted = _read_filter(call.query.get("filter", ""))
        found = [
            (ref, entry)
            for ref, entry in self._catalog.entries(home, _NOUN)
            if wanted in (None, entry.body["routineType"])
        ]
        page, token = call.page(found)
        mask = call.query.get("readMask") or ",".join(_LISTED)
        items = [_masked(_described(ref, entry), mask) for ref, entry in page]
        answer: dict[str, Any] = {"routines": items} if items else {}
        return {**answer, "nextPageToken": token} if token else answer

    def routines_update(self, call: Call) -> dict[str, Any]:
        """Replace a routine."""
        ref = _ref(call)
        body = dict(call.body)
        names.member_of(ref.parent, body.pop("routineReference", {}), ref.table, _NOUN)
        self._catalog.get(ref, _NOUN)
        body = self._checked(ref, body)
        with self._catalog.transaction():
            entry = self._catalog.get(ref, _NOUN)
            call.check_match(entry.etag)
            if entry.body["routineType"] != body["routineType"]:
                raise BigQueryError("invalid", "The type of a routine cannot change.")
            entry = self._catalog.replace(ref, body, _NOUN)
        return _described(ref, entry)

    def routines_delete(self, call: Call) -> None:
        """Delete a routine."""
        ref = _ref(call)
        with self._catalog.transaction():
            call.check_match(self._catalog.get(ref, _NOUN).etag)
            self._catalog.delete(ref, _NOUN)

    def _checked(self, ref: TableRef, said: dict[str, Any]) -> dict[str, Any]:
        """Hold a routine to BigQuery's rules, its body by a dry run of the statement."""
        body = {"language": "SQL", **said}
        kind = body.get("routineType", "ROUTINE_TYPE_UNSPECIFIED")
        if kind == "ROUTINE_TYPE_UNSPECIFIED":
            raise BigQueryError("required", "Required parameter is missing: routineType")
        if body["language"] not in ("SQL", "LANGUAGE_UNSPECIFIED"):
            raise BigQueryError.lacking(f"routines in {body['language']}")
        if kind not in _TYPES:
            raise BigQueryError.lacking(f"routines of the type {kind}")
        check_lacking(body, _LACKING)
        check_common(body)
        if not body.get("definitionBody", "").strip():
            raise BigQueryError("required", "Required parameter is missing: definitionBody")
        if "returnTableType" in body and kind != "TABLE_VALUED_FUNCTION":
            raise BigQueryError("invalid", f"A {kind} has no returnTableType.")
        if "returnType" in body and kind != "SCALAR_FUNCTION":
            raise BigQueryError("invalid", f"A {kind} has no returnType.")
        place = self._catalog.dataset(ref.parent).body.get("location", locations.DEFAULT)
        # The name is one that no routine has, for this one may be there already.
        draft = ref.parent.table(f"{ref.table[:200]}__draft")
        session = Session(ref.project, place, clock.now(), default_dataset=None)
        outcome = self._scripts.run(statement_of(draft, body), session, Unkept(), dry=True)
        if outcome.statement_type == "SCRIPT":
            raise BigQueryError("invalid", "definitionBody holds more than a routine's body.")
        return {**body, "language": "SQL", "routineType": kind}


def _ref(call: Call) -> TableRef:
    return TableRef(call.project, call.variables["datasetId"], call.variables["routineId"])


def _described(ref: TableRef, entry: Entry) -> dict[str, Any]:
    return {
        "routineReference": ref.as_json(_NOUN),
        "etag": entry.etag,
        "creationTime": str(entry.created // 1000),
        "lastModifiedTime": str(entry.modified // 1000),
        **entry.body,
    }


def _masked(routine: dict[str, Any], mask: str | None) -> dict[str, Any]:
    if mask is None:
        return routine
    wanted = {_camel(name.strip().partition(".")[0]) for name in mask.split(",")}
    return {name: value for name, value in routine.items() if name in wanted or name in _ALWAYS}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _read_filter(text: str) -> str | None:
    if not text:
        return None
    found = _FILTER.fullmatch(text.strip())
    if found is None:
        raise BigQueryError("invalid", f"Invalid value for filter: {text!r:.200}")
    return found[1]
