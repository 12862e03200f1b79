"""The columns of INFORMATION_SCHEMA's views, by their order.

Source: https://cloud.google.com/bigquery/docs/information-schema-intro and the page of each view.
"""

from __future__ import annotations

from functools import cache

from gcp_local.bigquery.schema import Schema, read_schema
from gcp_local.bigquery.sql.cursor import Cursor
from gcp_local.bigquery.sql.ddl.types import read_column

_TABLE = "table_catalog STRING, table_schema STRING, table_name STRING"
_ROUTINE = "specific_catalog STRING, specific_schema STRING, specific_name STRING"
_CONSTRAINT = "constraint_catalog STRING, constraint_schema STRING, constraint_name STRING"
_OPTION = "option_name STRING, option_type STRING, option_value STRING"
_NAMED = "STRUCT<project_id STRING, dataset_id STRING, table_id STRING>"

VIEWS = {
    "SCHEMATA": """
        catalog_name STRING, schema_name STRING, schema_owner STRING, creation_time TIMESTAMP,
        last_modified_time TIMESTAMP, location STRING, ddl STRING, default_collation_name STRING,
        sync_status JSON""",
    "SCHEMATA_OPTIONS": f"catalog_name STRING, schema_name STRING, {_OPTION}",
    "TABLES": f"""
        {_TABLE}, table_type STRING, managed_table_type STRING, is_insertable_into STRING,
        is_fine_grained_mutations_enabled STRING, is_typed STRING,
        is_change_history_enabled STRING, creation_time TIMESTAMP, base_table_catalog STRING,
        base_table_schema STRING, base_table_name STRING, snapshot_time_ms TIMESTAMP,
        replica_source_catalog STRING, replica_source_schema STRING, replica_source_name STRING,
        replication_status STRING, replication_error STRING, ddl STRING,
        default_collation_name STRING, sync_status JSON,
        upsert_stream_apply_watermark TIMESTAMP""",
    "TABLE_OPTIONS": f"{_TABLE}, {_OPTION}",
    "COLUMNS": f"""
        {_TABLE}, column_name STRING, ordinal_position INT64, is_nullable STRING, data_type STRING,
        is_generated STRING, generation_expression STRING, is_stored STRING, is_hidden STRING,
        is_updatable STRING, is_system_defined STRING, is_partitioning_column STRING,
        clustering_ordinal_position INT64, collation_name STRING, column_default STRING,
        rounding_mode STRING, policy_tags ARRAY<STRING>""",
    "COLUMN_FIELD_PATHS": f"""
        {_TABLE}, column_name STRING, field_path STRING, data_type STRING, description STRING,
        collation_name STRING, rounding_mode STRING, policy_tags ARRAY<STRING>""",
    "VIEWS": f"{_TABLE}, view_definition STRING, check_option STRING, use_standard_sql STRING",
    "MATERIALIZED_VIEWS": f"""
        {_TABLE}, last_refresh_time TIMESTAMP, refresh_watermark TIMESTAMP,
        last_refresh_status STRUCT<reason STRING, location STRING, message STRING>""",
    "PARTITIONS": f"""
        {_TABLE}, partition_id STRING, total_rows INT64, total_logical_bytes INT64,
        total_billable_bytes INT64, last_modified_time TIMESTAMP, storage_tier STRING""",
    "TABLE_SNAPSHOTS": f"""
        {_TABLE}, base_table_catalog STRING, base_table_schema STRING, base_table_name STRING,
        snapshot_time TIMESTAMP""",
    "TABLE_STORAGE": f"""
        project_id STRING, project_number INT64, {_TABLE}, creation_time TIMESTAMP,
        total_rows INT64, total_partitions INT64, total_logical_bytes INT64,
        active_logical_bytes INT64, long_term_logical_bytes INT64, current_physical_bytes INT64,
        total_physical_bytes INT64, active_physical_bytes INT64, long_term_physical_bytes INT64,
        time_travel_physical_bytes INT64, storage_last_modified_time TIMESTAMP, deleted BOOL,
        table_type STRING, managed_table_type STRING, fail_safe_physical_bytes INT64,
        last_metadata_index_refresh_time TIMESTAMP, table_deletion_reason STRING,
        table_deletion_time TIMESTAMP""",
    "ROUTINES": f"""
        {_ROUTINE}, routine_catalog STRING, routine_schema STRING, routine_name STRING,
        routine_type STRING, data_type STRING, routine_body STRING, routine_definition STRING,
        external_language STRING, is_deterministic STRING, security_type STRING, created TIMESTAMP,
        last_altered TIMESTAMP, ddl STRING""",
    "ROUTINE_OPTIONS": f"{_ROUTINE}, {_OPTION}",
    "PARAMETERS": f"""
        {_ROUTINE}, ordinal_position INT64, parameter_mode STRING, is_result STRING,
        parameter_name STRING, data_type STRING, parameter_default STRING, is_aggregate STRING""",
    "TABLE_CONSTRAINTS": f"""
        {_CONSTRAINT}, {_TABLE}, constraint_type STRING, is_deferrable STRING,
        initially_deferred STRING, enforced STRING""",
    "KEY_COLUMN_USAGE": f"""
        {_CONSTRAINT}, {_TABLE}, column_name STRING, ordinal_position INT64,
        position_in_unique_constraint INT64""",
    "CONSTRAINT_COLUMN_USAGE": f"{_TABLE}, column_name STRING, {_CONSTRAINT}",
    "JOBS": f"""
        creation_time TIMESTAMP, project_id STRING, project_number INT64, user_email STRING,
        job_id STRING, job_type STRING, statement_type STRING, priority STRING,
        start_time TIMESTAMP, end_time TIMESTAMP, query STRING, state STRING,
        reservation_id STRING, total_bytes_processed INT64, total_slot_ms INT64,
        error_result STRUCT<reason STRING, location STRING, debug_info STRING, message STRING>,
        cache_hit BOOL, destination_table {_NAMED}, referenced_tables ARRAY<{_NAMED}>,
        labels ARRAY<STRUCT<key STRING, value STRING>>, total_bytes_billed INT64,
        transaction_id STRING, parent_job_id STRING,
        dml_statistics STRUCT<inserted_row_count INT64, deleted_row_count INT64,
            updated_row_count INT64>,
        total_modified_partitions INT64, job_creation_reason STRUCT<code STRING>""",
    "__TABLES__": """
        project_id STRING, dataset_id STRING, table_id STRING, creation_time INT64,
        last_modified_time INT64, row_count INT64, size_bytes INT64, type INT64""",
}  # fmt: skip
_OTHER_NAMES = {"JOBS_BY_PROJECT": "JOBS", "TABLE_STORAGE_BY_PROJECT": "TABLE_STORAGE"}


def canonical(view: str) -> str | None:
    """Give the name by which a view is kept here; None if it is not there."""
    name = _OTHER_NAMES.get(view, view)
    return name if name in VIEWS else None


@cache
def schema_of(view: str) -> Schema:
    """Give a view's columns."""
    cursor = Cursor(VIEWS[view])
    return read_schema(cursor.listed(lambda: read_column(cursor).schema))
