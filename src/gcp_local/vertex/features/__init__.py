"""Vertex AI's FeatureRegistryService: which features there are, and in which BigQuery table.

    groups    feature groups: a table or view, and the columns that name an entity
    features  the features of a group: a column each
    rules     ids, columns, times and page sizes, which both share

Nothing reads the tables yet: their names are held against BigQuery's forms, no more.
"""

from gcp_local.vertex.features.features import Features
from gcp_local.vertex.features.groups import FeatureGroups

__all__ = ["FeatureGroups", "Features"]
