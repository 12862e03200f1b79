"""Statements that make, change and remove what the catalog has."""
