"""Words of the sample sheet: its columns, what some of them may hold, and names that are taken."""

from __future__ import annotations

READERS = (
    "cosmx",
    "generic",
    "images",
    "imagexpress",
    "imc",
    "merscope",
    "ome_tiff",
    "ome_zarr",
    "spaceranger",
    "st_array",
    "tiff_folder",
    "xenium",
)
"""Readers that a row may name."""

RESERVED = (
    "cohort",
    "work",
    "metrics",
    "logs",
    "report.html",
    "plan.json",
    "validation.json",
    "ro-crate-metadata.json",
)
"""Folders of a run's results; no sample may be called so."""

TAKEN = (
    *(
        "instance_id",
        "region",
        "t",
        "n_counts",
        "n_genes",
        "n_low_quality",
        "n_control_counts",
        "control_fraction",
    ),
    *(
        "low_quality_fraction",
        "area_um2",
        "nucleus_area_um2",
        "volume_um3",
        "nucleus_volume_um3",
        "major_axis_um",
    ),
    *(
        "minor_axis_um",
        "eccentricity",
        "orientation_rad",
        "touches_seam",
        "touches_edge",
        "qc_pass",
        "qc_reason",
    ),
    *("fov", "vendor_cell_id"),
    *(
        "leiden",
        "clustered",
        "cell_type",
        "cell_type_confidence",
        "cell_type_fit",
        "cell_type_best",
        "cell_type_ontology_term_id",
        "niche",
        "barcode",
        "mito_fraction",
        "doublet_score",
    ),
    *("well", "row", "column", "field", "field_z", "plane", "total_intensity", "nuclear_signal"),
    *("in_tissue", "array_row", "array_col", "n_nuclei", "tissue_fraction", "nuclei_fraction"),
    *("hematoxylin", "eosin", "density", "n_cells"),
)
"""Columns of the tables of cells; a column of the sheet goes there too and must not be called so."""

TAKEN_BEGINNING = "distance_to_"
"""What columns of distances to structures begin with."""

EMPTY = ("", "NA", "na", "NaN", "nan", "None", "null")
"""What people write into a cell that has no value."""

PATHS = ("image", "transcripts", "counts", "reads", "labels", "structures")
SIZES = ("pixel_size_um", "z_step_um")
ORIGINS = ("origin_x_um", "origin_y_um")
TEXTS = ("batch", "condition", "image_accession", "omics_accession", "biosample")
COLUMNS = ("sample", *PATHS, "reader", "acquisition", "segmentation", *SIZES, *ORIGINS, "affine", *TEXTS)

METHODS = ("basins", "blobs", "labels")
"""Methods that column `segmentation` may name."""
