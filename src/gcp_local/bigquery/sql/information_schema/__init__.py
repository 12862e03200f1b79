"""INFORMATION_SCHEMA: what there is, as tables that can be asked."""
