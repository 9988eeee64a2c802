"""Demo data, described in resources/datasets.yaml and brought to this machine on request."""

from isthmus.fetch.fetch import DatasetSummary, data_folder, fetch, list_datasets

__all__ = ["DatasetSummary", "data_folder", "fetch", "list_datasets"]
