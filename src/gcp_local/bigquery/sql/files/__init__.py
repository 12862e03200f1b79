"""Statements that read and write files: LOAD DATA and EXPORT DATA."""
