"""BigQuery's routines over the REST API: functions, table functions and procedures in SQL."""
