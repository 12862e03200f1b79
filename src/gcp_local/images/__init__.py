"""Container images, as far as a host without containers can have them: files for PYTHONPATH."""
