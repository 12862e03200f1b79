"""Whether an older entry of the ledger can be vouched for, so that it may go live again."""

from pydantic import ValidationError

from ecluse.canonical import digest_of_value
from ecluse.cloud import Cloud
from ecluse.errors import EcluseError, NotQualified, ReleaseAltered
from ecluse.ledger.qualification import Qualifications
from ecluse.ledger.records import Entry
from ecluse.release.manifest import ReleasedPipeline


def problem_with(cloud: Cloud, pipeline: str, entry: Entry | None) -> EcluseError | None:
    """Return why an entry cannot be vouched for here; none if it can.

    Its evidence is verified: signature, subject, verdicts. However old it is: it was live once,
    and going back must not need a run. Its bytes are downloaded and hashed.
    """
    if entry is None:
        return None
    try:
        Qualifications(cloud).verified(_released(pipeline, entry))
        cloud.registry.verify(entry.package, entry.digest)
    except (NotQualified, ReleaseAltered) as refused:
        again = f"go back further with `ecluse rollback {cloud.environment.name} {pipeline} --to "
        return type(refused)(refused.what, where=refused.where, fix=f"{again}RELEASE`")
    return None


def _released(pipeline: str, entry: Entry) -> ReleasedPipeline:
    """Return an entry as what its evidence has to vouch for.

    Raises:
        ReleaseAltered: the entry contradicts itself.

    """
    where = f"{pipeline}, entry {entry.sequence}"
    if digest_of_value(entry.settings) != entry.settings_digest:
        raise ReleaseAltered("its settings are not those that qualified", where=where)
    try:
        return ReleasedPipeline(
            name=pipeline,
            package=entry.package,
            digest=entry.digest,
            code_digest=entry.code_digest,
            runtime_image=entry.runtime_image,
            parameters=entry.declared,
            settings=entry.settings,
            settings_digest=entry.settings_digest,
        )
    except ValidationError as error:
        problem = error.errors()[0]
        raise ReleaseAltered(
            f"its settings can no longer be read: {problem['msg']}", where=where
        ) from None
