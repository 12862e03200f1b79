"""The way back: which entry each pipeline returns to. Decided from the ledger's histories alone.

Without a release to return to, a rollback undoes the newest promotion: every pipeline that it
changed goes back to what was live before. Asked again, it finds that done and goes no further, so
that a command that is repeated, or given by two people at once, does no more than once. Whoever
means to go further says where to.

With one, every pipeline becomes what it was right after that release was promoted: the fencing
tokens in the entries put the promotions of an environment in order.

An entry that a rollback wrote names the one that it restored, so that the way back from there leads
on from that one, and never forward again to what was just left.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ecluse.errors import InvalidInput, NoWayBack, UnknownPipeline
from ecluse.ledger.records import Entry, Head
from ecluse.promotion.returns import Return, ReturnPlan, spelt

_SHORT_SHA = re.compile(r"[0-9a-f]{7,40}")
_SHORT_DIGEST = re.compile(r"sha256:[0-9a-f]{7,64}")


class Histories:
    """The histories of some pipelines, each read only as far as somebody looks.

    Args:
        open_history: begins to read one, the newest entry first.
        side_by_side: returns a function's value for each of some names, found at the same time.

    """

    def __init__(
        self,
        open_history: Callable[[str], Iterator[Entry]],
        side_by_side: Callable[
            [Callable[[str], Entry | None], Iterable[str]], Sequence[Entry | None]
        ],
    ) -> None:
        self.open = open_history
        self._side_by_side = side_by_side

    def each(
        self, function: Callable[[str], Entry | None], names: Collection[str]
    ) -> dict[str, Entry | None]:
        """Return what a function finds for each name."""
        return dict(zip(names, self._side_by_side(function, names), strict=True))


def is_same(one: Entry, other: Entry) -> bool:
    """Whether two entries make the same thing live: bytes, settings and parameters."""
    if not one.is_live or not other.is_live:
        return one.is_live == other.is_live
    return (one.package, one.digest, one.settings_digest, one.parameters) == (
        other.package,
        other.digest,
        other.settings_digest,
        other.parameters,
    )


def way_back(history: Iterable[Entry]) -> Iterator[Entry]:
    """Yield what was made live or retired, the newest first, leaving out what was rolled back.

    Args:
        history: a pipeline's entries, the newest first.

    """
    limit: int | None = None
    for entry in history:
        if limit is not None and entry.sequence > limit:
            continue
        if entry.restores is not None:
            limit = entry.restores
        else:
            yield entry


def candidates(history: Iterable[Entry]) -> Iterator[Entry]:
    """Yield what a pipeline could go back to, the nearest first: other than now, and live."""
    standing: Entry | None = None
    for entry in way_back(history):
        if standing is None:
            standing = entry
        elif entry.is_live and not (standing.is_live and is_same(entry, standing)):
            yield entry


def undone(head: Head, histories: Histories) -> tuple[Entry, dict[str, Entry]]:
    """Return the newest promotion in an environment, and what it changed.

    Returns:
        One of its entries, and the last entry of each pipeline whose last promotion was of that
        release: some may have gone back already, with an entry of a rollback.

    Raises:
        NoWayBack: nothing was ever promoted here.

    """
    promoted = {name: last for name, last in head.pipelines.items() if last.restores is None}
    returned = [name for name in head.pipelines if name not in promoted]
    found = histories.each(
        lambda name: next((e for e in histories.open(name) if e.restores is None), None), returned
    )
    promoted |= {name: entry for name, entry in found.items() if entry is not None}
    if not promoted:
        raise NoWayBack(
            f"nothing was ever live in {head.environment}",
            where=head.environment,
            fix=f"promote a release: `ecluse promote {head.environment}`",
        )
    newest = max(promoted.values(), key=lambda entry: entry.token)
    return newest, {
        name: head.pipelines[name]
        for name, entry in sorted(promoted.items())
        if entry.release == newest.release
    }


def named(head: Head, names: Collection[str]) -> dict[str, Entry]:
    """Return the last entries of the pipelines that somebody named.

    Raises:
        UnknownPipeline: one was never live here.

    """
    for name in names:
        if name not in head.pipelines:
            known = ", ".join(sorted(head.pipelines)) or "nothing was ever live here"
            raise UnknownPipeline(
                f"`{name}` was never live in {head.environment}",
                where="PIPELINE",
                fix=f"the ledger has: {known}",
            )
    return {name: head.pipelines[name] for name in sorted(set(names))}


def is_release(text: str, commit: str | None) -> Callable[[Entry], bool]:
    """Return whether an entry is of the release that a text means.

    Args:
        text: a version, a commit (at least 7 hex digits) or a manifest's digest.
        commit: the commit that git knows by the text, if it knows one.

    """

    def means(entry: Entry) -> bool:
        return (
            text == entry.version
            or entry.commit == commit
            or (_SHORT_SHA.fullmatch(text) is not None and entry.commit.startswith(text))
            or (_SHORT_DIGEST.fullmatch(text) is not None and entry.release.startswith(text))
        )

    return means


def as_of(
    head: Head, histories: Histories, means: Callable[[Entry], bool], text: str
) -> tuple[Entry, dict[str, Entry | None]]:
    """Return how an environment was right after a release was last promoted to it.

    Returns:
        An entry of that release, and each pipeline's entry of that time; none for what was not
        there yet.

    Raises:
        InvalidInput: no entry of that release is in the ledger.

    """
    opened = {name: histories.open(name) for name in head.pipelines}
    fronts = histories.each(lambda name: next(opened[name], None), list(opened))
    seen: dict[str, None] = {}
    while newest := max((e.token for e in fronts.values() if e is not None), default=0):
        session = {n: e for n, e in fronts.items() if e is not None and e.token == newest}
        for entry in session.values():
            if entry.restores is None:
                if means(entry):
                    return entry, fronts
                seen[spelt(entry)] = None
        fronts |= histories.each(lambda name: next(opened[name], None), list(session))
    known = ", ".join(list(seen)[:5]) or "none"
    raise InvalidInput(
        f"`{text}` changed nothing in {head.environment}",
        where="--to",
        fix=f"name a release that did: {known}{', …' if len(seen) > 5 else ''}",
    )


def returned_to(pipeline: str, last: Entry, then: Entry | None) -> Return | None:
    """Return what makes a pipeline as it was then; none where it is so and was not touched since.

    Args:
        pipeline: its name.
        last: its last entry.
        then: its entry of that time; none if it was not there yet.

    """
    restores = 0
    if then is not None:
        restores = then.restores if then.restores is not None else then.sequence
    if then is not None and is_same(last, then):
        if last.restores is None:
            return None
        return Return(pipeline, "already", last, then if then.is_live else None)
    if then is None or not then.is_live:
        if last.is_live:
            return Return(pipeline, "retire", last, None, restores)
        return Return(pipeline, "already", last) if last.restores is not None else None
    return Return(pipeline, "rollback", last, then, restores)


def refuse_shared_packages(head: Head, plan: ReturnPlan) -> None:
    """Check that no two pipelines would be live afterwards with one package in the registry.

    Raises:
        NoWayBack: naming both.

    """
    after = dict(head.all_live)
    for back in plan.changes:
        after.pop(back.pipeline, None)
        if back.target is not None:
            after[back.pipeline] = back.target
    owners: dict[str, str] = {}
    for name, entry in sorted(after.items()):
        other = owners.setdefault(entry.package, name)
        if other != name:
            raise NoWayBack(
                f"`{other}` and `{name}` are one package, {entry.package}, and cannot both be live",
                where=head.environment,
                fix="name the release to go back to, so that what it did not have is taken out: "
                f"`ecluse rollback {head.environment} --to RELEASE`",
            )
