"""Writing what a job gives into a table, by its dispositions."""
