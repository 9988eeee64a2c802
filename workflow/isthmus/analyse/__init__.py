"""From tables of cells to types: quality, cohort, clusters, cell types, neighbourhoods.

The only room that imports scanpy, and only where clusters are made. `steps` holds what the workflow calls.
"""
