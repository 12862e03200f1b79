"""The methods of `datasets`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery import access, locations, names
from gcp_local.bigquery.call import listed
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.merging import check_common, check_lacking, merged, whole
from gcp_local.bigquery.references import DatasetRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.ml.models import Models

_LACKING = {
    "defaultEncryptionConfiguration": "keys of the customer's",
    "externalCatalogDatasetOptions": "external catalogs",
    "externalDatasetReference": "external datasets",
    "linkedDatasetSource": "linked datasets",
    "defaultCollation": "collation",
    "isCaseInsensitive": "datasets with names in any case",
    "resourceTags": "tags",
}
_HOUR = 3_600_000
_TIME_TRAVEL = {str(hours) for hours in range(48, 169, 24)}
_DEFAULT_TIME_TRAVEL = "168"
_FILTER = re.compile(r"labels\.([^\s:]+)(?::(\S*))?")
_POLICIES = (0, 1, 2, 3)


class DatasetService:
    """`bigquery.datasets`."""

    def __init__(self, catalog: Catalog, models: Models) -> None:
        self._catalog = catalog
        self._models = models

    def datasets_insert(self, call: Call) -> dict[str, Any]:
        """Make a dataset."""
        _check_policy(call)
        body = dict(call.body)
        ref = names.dataset_of(call.project, body.pop("datasetReference", {}))
        return _described(call, ref, self.make(ref, body))

    def make(self, ref: DatasetRef, said: Mapping[str, Any]) -> Entry:
        """Keep a new dataset, where it is said and with its defaults.

        Raises:
            ApiError: it is there, or breaks a rule.

        """
        body = dict(said)
        body["location"] = locations.canonical(body.get("location") or locations.DEFAULT)
        body.setdefault("access", [dict(entry) for entry in access.DEFAULTS])
        return self._catalog.add_dataset(ref, self._checked(body))

    def change(self, ref: DatasetRef, body: dict[str, Any]) -> Entry:
        """Keep another state of a dataset; errors as `make`."""
        return self._catalog.replace_dataset(ref, self._checked(body))

    def datasets_get(self, call: Call) -> dict[str, Any]:
        """Answer a dataset."""
        _check_policy(call)
        ref = _ref(call)
        answer = _described(call, ref, self._catalog.dataset(ref))
        view = call.query.get("datasetView")
        if view == "METADATA":
            answer.pop("access", None)
        if view == "ACL":
            kept = ("kind", "id", "etag", "selfLink", "datasetReference", "access")
            return {name: answer[name] for name in kept if name in answer}
        return answer

    def datasets_list(self, call: Call) -> dict[str, Any]:
        """Answer a project's datasets, without those whose names begin with `_` unless `all`."""
        wanted = _read_filter(call.query.get("filter", ""))
        found = [
            (ref, entry)
            for ref, entry in self._catalog.datasets(call.project)
            if (call.query.get("all") or not ref.dataset.startswith("_"))
            and _passes(entry.body.get("labels", {}), wanted)
        ]
        page, token = call.page(found)
        shown = ("friendlyName", "labels", "location")
        items = [
            {
                "kind": "bigquery#dataset",
                "id": str(ref),
                "datasetReference": ref.as_json(),
                "type": "DEFAULT",
                **{name: entry.body[name] for name in shown if entry.body.get(name)},
            }
            for ref, entry in page
        ]
        return listed("bigquery#datasetList", "datasets", items, token)

    def datasets_patch(self, call: Call) -> dict[str, Any]:
        """Change those fields of a dataset that are given."""
        return self._change(call, patch=True)

    def datasets_update(self, call: Call) -> dict[str, Any]:
        """Replace a dataset's fields by those that are given."""
        return self._change(call, patch=False)

    def datasets_delete(self, call: Call) -> None:
        """Delete a dataset, with `deleteContents` all that is in it; else it must be empty."""
        ref = _ref(call)
        with self._catalog.transaction():
            call.check_match(self._catalog.dataset(ref).etag)
            self.drop(ref, contents=bool(call.query.get("deleteContents")))

    def drop(self, ref: DatasetRef, *, contents: bool) -> None:
        """Delete a dataset.

        Raises:
            BigQueryError: there is none; without `contents`, it is not empty.

        """
        with self._catalog.transaction():
            self._catalog.dataset(ref)
            if not contents and self._catalog.holds_any(ref):
                raise BigQueryError("resourceInUse", f"Dataset {ref} is still in use")
            for model, _ in list(self._catalog.entries(ref, "model")):
                self._models.drop(model)
            self._catalog.delete_dataset(ref)

    def datasets_undelete(self, call: Call) -> dict[str, Any]:
        """Bring back a dataset, with what was in it but models, within its time travel window."""
        ref = _ref(call)
        said = call.body.get("deletionTime")
        moment = None if said is None else _moment(said)
        return _described(call, ref, self._catalog.undelete_dataset(ref, moment))

    def _change(self, call: Call, *, patch: bool) -> dict[str, Any]:
        _check_policy(call)
        ref = _ref(call)
        said = dict(call.body)
        names.dataset_of(call.project, said.pop("datasetReference", None) or {}, ref.dataset)
        mode = call.query.get("updateMode", "UPDATE_FULL")
        with self._catalog.transaction():
            entry = self._catalog.dataset(ref)
            call.check_match(entry.etag)
            place = entry.body.get("location", locations.DEFAULT)
            if locations.canonical(said.pop("location", None) or place) != place:
                message = f"The location of a dataset cannot be changed (it is {place})."
                raise BigQueryError("invalid", message)
            before = dict(entry.body)
            if patch:
                after = merged(before, said)
                after.setdefault("access", [])
            else:
                after = {"location": place, "access": before.get("access", []), **said}
            if mode == "UPDATE_METADATA":
                after["access"] = before.get("access", [])
            elif mode == "UPDATE_ACL":
                after = {**before, "access": after["access"]}
            entry = self._catalog.replace_dataset(ref, self._checked(after))
        return _described(call, ref, entry)

    def _checked(self, body: dict[str, Any]) -> dict[str, Any]:
        """Hold a dataset to BigQuery's rules."""
        check_common(body)
        check_lacking(body, _LACKING)
        if body.get("defaultRoundingMode") == "ROUND_HALF_EVEN":
            raise BigQueryError.lacking("the rounding mode ROUND_HALF_EVEN")
        whole(body, "defaultTableExpirationMs", _HOUR)
        whole(body, "defaultPartitionExpirationMs", 1)
        if body.get("maxTimeTravelHours", _DEFAULT_TIME_TRAVEL) not in _TIME_TRAVEL:
            message = "Invalid value for maxTimeTravelHours: it must be 48, 72, 96, 120, 144 or 168"
            raise BigQueryError("invalid", message)
        if body.get("storageBillingModel") == "STORAGE_BILLING_MODEL_UNSPECIFIED":
            raise BigQueryError("invalid", "Invalid value for storageBillingModel: it must be set")
        entries = access.checked(
            body.get("access", []),
            lambda noun, ref: self._catalog.find(ref, noun) is not None,
        )
        return {**body, "access": entries}


def _ref(call: Call) -> DatasetRef:
    return DatasetRef(call.project, call.variables["datasetId"])


def _check_policy(call: Call) -> None:
    if call.query.get("accessPolicyVersion", 1) not in _POLICIES:
        raise BigQueryError("invalid", "Invalid value for accessPolicyVersion: it must be 1 to 3")


def _moment(said: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  (it is refused at once)
    if moment.tzinfo is None:
        raise BigQueryError("invalid", f"Invalid value for deletionTime: {said!r:.100}")
    return moment


def _read_filter(text: str) -> list[tuple[str, str | None]]:
    """Read `labels.key:value labels.other`."""
    wanted = []
    for part in text.split():
        found = _FILTER.fullmatch(part)
        if part.upper() == "AND":
            continue
        if found is None:
            raise BigQueryError("invalid", f"Invalid value for filter: {text!r:.200}")
        wanted.append((found[1], found[2]))
    return wanted


def _passes(labels: Mapping[str, str], wanted: list[tuple[str, str | None]]) -> bool:
    return all(key in labels and value in (None, labels[key]) for key, value in wanted)


def _described(call: Call, ref: DatasetRef, entry: Entry) -> dict[str, Any]:
    return {
        "kind": "bigquery#dataset",
        "id": str(ref),
        "etag": entry.etag,
        "selfLink": call.link(f"projects/{ref.project}/datasets/{ref.dataset}"),
        "datasetReference": ref.as_json(),
        "creationTime": str(entry.created // 1000),
        "lastModifiedTime": str(entry.modified // 1000),
        "type": "DEFAULT",
        "maxTimeTravelHours": _DEFAULT_TIME_TRAVEL,
        **entry.body,
    }
