"""The RPCs of Cloud Build that are about builds."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds import creation
from gcp_local.builds.creation import Made, Triggered, default_account
from gcp_local.builds.keeping import BuildShelf, metadata_of, operation_name, parent_of
from gcp_local.builds.listing import FILTERABLE, BuildFilter
from gcp_local.builds.messages import (
    TERMINAL,
    Build,
    CreateBuildRequest,
    Decision,
    DefaultServiceAccount,
    ListBuildsResponse,
    Status,
)
from gcp_local.builds.run import SERVER_STOPPED, Run, result_of
from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.resources.listing import list_page
from gcp_local.resources.operations import Operation
from gcp_local.rpc.protos import Message, copy_of, timestamp

if TYPE_CHECKING:
    from gcp_local.builds.workshop import Workshop

_CANCEL_SECONDS, _CLOSING_SECONDS = 10.0, 15.0


class Builds:
    """The builds: made, run in a thread each, listed, cancelled, approved, made again."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._shelf = BuildShelf(shop)
        self._active: dict[str, Run] = {}
        self._lock = threading.Lock()

    # The RPCs

    def create_build(self, request: Message) -> Message:
        """Answer `CreateBuild`: the operation, under way while the build is."""
        if not request.HasField("build"):
            raise InvalidArgument.of_field("build", "build is required.")
        parent = parent_of(self._shop, request.parent, request.project_id)
        return self.create(parent, request.build, Triggered())

    def get_build(self, request: Message) -> Message:
        """Answer `GetBuild`."""
        return self._shelf.get(request.name, request.project_id, request.id)

    def list_builds(self, request: Message) -> Message:
        """Answer `ListBuilds`, the newest first."""
        request.parent = parent_of(self._shop, request.parent, request.project_id)
        page, token = list_page(
            self._shelf.of(request.parent),
            request,
            Build,
            filterable=FILTERABLE,
            newest_first=True,
            compiler=BuildFilter.compiled,
        )
        return ListBuildsResponse(builds=page, next_page_token=token)

    def cancel_build(self, request: Message) -> Message:
        """Answer `CancelBuild`: the build, when its processes have ended."""
        build = self._shelf.get(request.name, request.project_id, request.id)
        with self._lock:
            run = self._active.get(build.name)
        if run is None or build.status in TERMINAL:
            raise FailedPrecondition(
                f"cannot cancel build {build.id!r}: its status is {Status(build.status).name}"
            )
        run.stop(Status.CANCELLED)
        run.ended.wait(_CANCEL_SECONDS)
        return self._shelf.get(build.name, "", "")

    def retry_build(self, request: Message) -> Message:
        """Answer `RetryBuild`: a new build of what the old one was made of."""
        build = self._shelf.get(request.name, request.project_id, request.id)
        if build.status not in TERMINAL:
            raise FailedPrecondition(
                f"cannot retry build {build.id!r}: its status is {Status(build.status).name}"
            )
        first = self._shelf.request_of(build)
        again = copy_of(first.build)
        # The same source, whatever its object or branch is by now.
        kind = build.source.WhichOneof("source")
        if kind is not None:
            resolved = getattr(build.source_provenance, f"resolved_{kind}")
            getattr(again.source, kind).CopyFrom(resolved)
        of_trigger = {
            name: value
            for name, value in build.substitutions.items()
            if name not in again.substitutions
        }
        triggered = Triggered(
            build.build_trigger_id, bool(build.approval.config.approval_required), of_trigger
        )
        return self.create(build.name.rpartition("/builds/")[0], again, triggered)

    def approve_build(self, request: Message) -> Message:
        """Answer `ApproveBuild`: the operation of the build, which begins or ends."""
        build = self._shelf.get(request.name, "", "")
        said = request.approval_result
        if said.decision not in (Decision.APPROVED, Decision.REJECTED):
            raise InvalidArgument.of_field(
                "approval_result.decision", "decision must be APPROVED or REJECTED."
            )
        result = copy_of(said)
        result.approver_account = "gcp-local@localhost"
        result.approval_time.CopyFrom(timestamp(clock.now()))
        with self._lock:
            run = self._active.get(build.name)
        if run is None or not run.decide(result):
            raise FailedPrecondition(f"build {build.id!r} is not pending approval")
        return self._shop.operations.get(operation_name(build))

    def get_default_service_account(self, request: Message) -> Message:
        """Answer `GetDefaultServiceAccount`: the Compute Engine account, as in new projects."""
        _, project, *_ = request.name.split("/")
        number = self._shop.projects.number(project)
        account = f"projects/{self._shop.projects.id(number)}/serviceAccounts/"
        return DefaultServiceAccount(
            name=self._shop.projects.named(request.name),
            service_account_email=account + default_account(number),
        )

    # For triggers

    def create(self, parent: str, said: Message, triggered: Triggered) -> Message:
        """Make a build, keep it, start it, and give its operation."""
        return self.start(self.keep(parent, said, triggered))

    def keep(self, parent: str, said: Message, triggered: Triggered) -> Made:
        """Make a build and keep it: it starts by `start`, or when the server comes up again."""
        made = creation.make(self._shop, parent, said, triggered)
        self._shelf.add(made.build, CreateBuildRequest(parent=parent, build=said))
        return made

    def start(self, made: Made) -> Message:
        """Let a build that is kept begin, and give its operation."""
        build = made.build
        run = Run(build, made.values, self._shop, self._save)
        with self._lock:
            self._active[build.name] = run

        def work() -> Message:
            try:
                return run.carry_out()
            finally:
                with self._lock:
                    del self._active[build.name]

        return self._shop.operations.begin(
            "operations",
            run.metadata,
            work,
            cancel=lambda: run.stop(Status.CANCELLED),
            name=operation_name(build),
        )

    # For the server

    def recover(self) -> None:
        """End what ran when an earlier server stopped; take up again what waited."""
        for build in list(self._shelf.everywhere()):
            if build.status in TERMINAL:
                self._settle(build)
                continue
            if build.status in (Status.QUEUED, Status.PENDING):
                self.start(Made(build, creation.values_of(build)))
                continue
            build.status = Status.INTERNAL_ERROR
            build.status_detail = SERVER_STOPPED
            build.finish_time.CopyFrom(timestamp(clock.now()))
            self._save(build)

    def active(self) -> list[str]:
        """Name the builds that have not ended, oldest first."""
        with self._lock:
            return list(self._active)

    def busy(self) -> bool:
        """Tell whether a build is under way."""
        with self._lock:
            return bool(self._active)

    def close(self) -> None:
        """End what runs, and wait for its end a little; what waits stays for the next server."""
        with self._lock:
            active = list(self._active.values())
        for run in active:
            run.stop(Status.INTERNAL_ERROR)
        for run in active:
            run.ended.wait(_CLOSING_SECONDS)

    # Inside

    def _settle(self, build: Message) -> None:
        """End the operation of a build that ended, if the server was killed between the two."""
        name = operation_name(build)
        operation = self._shop.resources.find(name, Operation)
        if operation is not None and not operation.done:
            work = partial(result_of, build)
            self._shop.operations.begin("operations", metadata_of(build), work, name=name)

    def _save(self, build: Message) -> None:
        """Keep a build's newer state, and show it in its operation."""
        with self._shop.database.transaction():
            self._shelf.save(build)
            self._shop.operations.report(operation_name(build), metadata_of(build))
