"""BigQuery, put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local.bigquery.catalog import Catalog
from gcp_local.bigquery.copying.jobs import CopyJobs
from gcp_local.bigquery.copying.sources import TableSources
from gcp_local.bigquery.datasets import DatasetService
from gcp_local.bigquery.engine import Engine
from gcp_local.bigquery.exchange import Exchange
from gcp_local.bigquery.extracting.jobs import ExtractJobs
from gcp_local.bigquery.housekeeping import Housekeeper
from gcp_local.bigquery.jobs.anonymous import AnonymousTables
from gcp_local.bigquery.jobs.cache import QueryCache
from gcp_local.bigquery.jobs.queries import QueryJobs
from gcp_local.bigquery.jobs.results import Results
from gcp_local.bigquery.jobs.runner import JobRunner
from gcp_local.bigquery.jobs.service import JobService
from gcp_local.bigquery.jobs.store import JobStore
from gcp_local.bigquery.loading.jobs import LoadJobs
from gcp_local.bigquery.loading.uploads import UploadedJobs
from gcp_local.bigquery.ml.exporting import Exporter
from gcp_local.bigquery.ml.functions import ModelFunctions
from gcp_local.bigquery.ml.models import Models
from gcp_local.bigquery.ml.service import ModelService
from gcp_local.bigquery.ml.statements import ModelStatements
from gcp_local.bigquery.ml.store import ModelStore
from gcp_local.bigquery.ml.trainer import Trainer
from gcp_local.bigquery.policies import PolicyService
from gcp_local.bigquery.projects import ProjectService
from gcp_local.bigquery.rest import BigQueryEndpoint
from gcp_local.bigquery.routines.service import RoutineService
from gcp_local.bigquery.sql.asking import Asker
from gcp_local.bigquery.sql.ddl.statements import Ddl
from gcp_local.bigquery.sql.dml.statements import Dml
from gcp_local.bigquery.sql.executor import Executor, Handler
from gcp_local.bigquery.sql.files.exporting import Exporting
from gcp_local.bigquery.sql.files.loading import Loading
from gcp_local.bigquery.sql.information_schema.views import InformationSchema
from gcp_local.bigquery.sql.scripts.runner import Scripts
from gcp_local.bigquery.sql.scripts.state import Tools
from gcp_local.bigquery.sql.select import Select
from gcp_local.bigquery.sql.statements import Family, Statements
from gcp_local.bigquery.sql.tables import Tables
from gcp_local.bigquery.streaming import Streaming
from gcp_local.bigquery.tabledata.inserting import Inserter
from gcp_local.bigquery.tabledata.service import TableDataService
from gcp_local.bigquery.tables.description import TableDescriber
from gcp_local.bigquery.tables.partition import Partitions
from gcp_local.bigquery.tables.queries import TableQueries
from gcp_local.bigquery.tables.service import TableService
from gcp_local.bigquery.warehouse import Warehouse
from gcp_local.bigquery.writing.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.containers.processes import Launcher
    from gcp_local.iam.permissions import Permissions
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.vertex.platform import Worker


class BigQuery:
    """All of BigQuery.

    Attributes:
        exchange: its tables, for the other services.
        models: BigQuery ML's, which Vertex AI's registry may have, too.
        endpoint: the REST API.
        workers: what does something between two requests.

    """

    def __init__(
        self,
        database: Database,
        projects: Projects,
        state: Path,
        objects: ObjectStore,
        launcher: Launcher,
        permissions: Permissions,
    ) -> None:
        folder = state / "bigquery"
        self.catalog = Catalog(database)
        self.warehouse = Warehouse(database, folder)
        engine = Engine(folder)
        handlers: list[Handler] = []
        executor = Executor(handlers)
        store = ModelStore(self.catalog, database, state / "bigquery_models")
        self.models = Models(store, database)
        trainer = Trainer(launcher, state / "work" / "bigquery")
        exporter = Exporter(database, objects)
        self.streaming = Streaming(database)
        describer = TableDescriber(self.warehouse, self.streaming)
        jobs = JobStore(database)
        system = InformationSchema(self.catalog, self.warehouse, describer, jobs, projects)
        handlers += [
            Select(self.catalog, self.warehouse, engine, ModelFunctions(store, executor), system),
            ModelStatements(self.catalog, self.models, executor, trainer, exporter),
        ]
        self.exchange = Exchange(database, self.catalog, self.warehouse, executor, projects)
        queries = TableQueries(executor)
        datasets = DatasetService(self.catalog, self.models)
        tables = Tables(self.catalog, self.warehouse, self.streaming, database)
        asker = Asker(executor)
        ddl = Ddl(tables, asker, queries, datasets)
        writer = Writer(self.catalog, self.warehouse, queries)
        loads = LoadJobs(self.catalog, writer, objects)
        families: list[Family] = [
            ddl,
            Dml(tables, asker),
            Loading(tables, asker, loads),
            Exporting(asker, objects),
        ]
        statements = Statements(executor, families, asker, tables)
        scripts = Scripts(Tools(statements, asker, tables, ddl))
        sources = TableSources(self.catalog, self.warehouse)
        anonymous = AnonymousTables(self.catalog, self.warehouse)
        cache = QueryCache(self.catalog, self.warehouse)
        self.runner = JobRunner(
            jobs,
            {
                "query": QueryJobs(self.catalog, jobs, scripts, writer, anonymous, cache),
                "load": loads,
                "extract": ExtractJobs(self.catalog, sources, objects, store, exporter),
                "copy": CopyJobs(self.catalog, self.warehouse, sources, writer),
            },
        )
        service = JobService(self.runner, Results(self.catalog, self.warehouse))
        uploads = UploadedJobs(state / "bigquery_uploads", service.start)
        partitions = Partitions(self.catalog, self.warehouse, describer)
        self.catalog.expire = partitions.expire
        self.endpoint = BigQueryEndpoint(
            [
                datasets,
                PolicyService(self.catalog, database, permissions),
                ProjectService(projects),
                RoutineService(self.catalog, scripts),
                TableService(self.catalog, describer, queries, partitions),
                TableDataService(
                    self.catalog,
                    self.warehouse,
                    partitions,
                    Inserter(self.catalog, self.warehouse, self.streaming, queries),
                ),
                ModelService(self.catalog, self.models),
                service,
            ],
            projects,
            uploads,
        )
        housekeeper = Housekeeper(self.catalog, self.warehouse)
        self.workers: Sequence[Worker] = [self.runner, housekeeper]
        scripts.recover()
        # Nobody writes yet: files that no version names are those of a server that was killed.
        housekeeper.tidy(young=timedelta())
        uploads.recover()
        store.recover()
