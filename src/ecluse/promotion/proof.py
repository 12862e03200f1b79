"""Whether the environment below proved what a plan would make live."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from ecluse.cloud import Cloud
from ecluse.errors import NotQualified
from ecluse.ledger.qualification import Qualifications
from ecluse.promotion.plan import Plan
from ecluse.release.manifest import Release
from ecluse.repository.duration import parse_duration
from ecluse.repository.settings import Environment

_SIDE_BY_SIDE = 16


def unqualified(
    release: Release, plan: Plan, environment: Environment, below: Cloud
) -> dict[str, NotQualified]:
    """Return why the environment below did not qualify what a plan would make live, if it did not.

    The proofs are looked at side by side.

    Args:
        release: what would go live.
        plan: which of it.
        environment: where; it may say how old a proof may be.
        below: whose proofs they are.

    """
    qualifications = Qualifications(below)
    limit = environment.evidence_max_age
    max_age = parse_duration(limit) if limit is not None else None

    def problem(pipeline: str) -> NotQualified | None:
        try:
            qualifications.verified(release.pipelines[pipeline], max_age=max_age)
        except NotQualified as refused:
            return refused
        return None

    names = [action.pipeline for action in plan.changes if action.target is not None]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = dict(zip(names, pool.map(problem, names), strict=True))
    return {name: refused for name, refused in found.items() if refused is not None}


def refuse_unqualified(found: Mapping[str, NotQualified]) -> None:
    """Check that nothing is unqualified.

    Raises:
        NotQualified: the first that is, and how many others are.

    """
    if not found:
        return
    first, *others = found.values()
    names = ", ".join(f"`{name}`" for name in list(found)[1:])
    also = f"; nor may {names}" if others else ""
    raise NotQualified(f"{first.what}{also}", where=first.where, fix=first.fix)
