"""Containers as processes of this host: their files, their environment, their life."""
