"""Options of everything that works on tables of cells: quality, clusters, types, neighbourhoods."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Strict, field_validator, model_validator

from isthmus.config.omics import JointOptions, OmicsTable, check_names
from isthmus.config.options import FilePath, Section, Texts, option
from isthmus.config.profiles import ProfilesOptions
from isthmus.config.proteins import GatingOptions, IntensityOptions


class QualityOptions(Section):
    """Which cells pass quality control (`qc_pass`); the others stay in the sample's table, marked."""

    min_counts: int = option(10, "Fewest transcripts of genes a cell may have.", ge=0)
    min_genes: int = option(5, "Fewest different genes a cell may have.", ge=0)
    max_counts: int | None = option(
        None, "Most transcripts of genes a cell may have; null for no limit.", ge=1
    )
    min_area_um2: float | None = option(None, "Smallest cell area; null for no limit.", unit="um2", ge=0)
    max_area_um2: float | None = option(None, "Largest cell area; null for no limit.", unit="um2", gt=0)
    max_control_fraction: float = option(
        0.05, "Largest share of negative controls among a cell's transcripts.", ge=0, le=1
    )
    exclusive_markers: Texts = option(
        (),
        "Pairs of genes, `A:B`, that no cell should have both of; cells that do measure how far molecules of neighbours"
        " are counted in. Nothing is left out for it.",
    )
    field_um: float = option(
        200.0,
        "Edge of the squares that are compared in the counts of their cells, where fields of view are not known.",
        unit="um",
        ge=10,
        le=10_000,
    )
    max_mito_fraction: float | None = option(
        None,
        "Largest share of a cell's transcripts that are of mitochondrial genes; null for no limit.",
        ge=0,
        le=1,
    )
    mito_pattern: str = option(
        "^(MT|Mt|mt)-", "Regular expression; genes whose name matches are mitochondrial.", min_length=1
    )
    doublets: Literal["none", "scrublet"] = option(
        "none", "How barcodes that hold two cells are found; they do not pass. For dissociated cells."
    )
    doublet_rate: float = option(0.06, "Share of doublets that the laboratory expects.", gt=0, lt=0.5)
    min_nuclear_signal: float | None = option(
        None,
        "Protein assays with a panel: least mean of the nuclear channels above their background, added up, in the"
        " nucleus; null for no limit.",
    )
    min_total_intensity: float | None = option(
        None, "Protein assays: least sum of a cell's marker intensities; null for no limit.", ge=0
    )
    max_total_intensity: float | None = option(
        None, "Protein assays: largest sum of a cell's marker intensities; null for no limit.", gt=0
    )

    @field_validator("exclusive_markers")
    @classmethod
    def _are_pairs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pair in value:
            names = pair.split(":")
            if len(names) != 2 or not all(names) or names[0] == names[1]:
                raise ValueError(f"'{pair}' is no pair of genes; write them as A:B")
        return value

    @field_validator("mito_pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"'{value}' is not a regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _ordered(self) -> QualityOptions:
        if self.max_counts is not None and self.max_counts < self.min_counts:
            raise ValueError(f"max_counts ({self.max_counts}) is below min_counts ({self.min_counts})")
        least, most = self.min_area_um2, self.max_area_um2
        if least is not None and most is not None and most < least:
            raise ValueError(f"max_area_um2 ({most}) is below min_area_um2 ({least})")
        low, high = self.min_total_intensity, self.max_total_intensity
        if low is not None and high is not None and high < low:
            raise ValueError(f"max_total_intensity ({high}) is below min_total_intensity ({low})")
        return self


class ClusteringOptions(Section):
    """How cells are arranged by expression: principal components, neighbours, Leiden clusters, UMAP."""

    n_top_genes: int = option(
        2000, "Most variable genes used; all are used where the panel has no more.", ge=10, le=50_000
    )
    n_components: int = option(30, "Principal components.", ge=2, le=200)
    n_neighbours: int = option(15, "Nearest neighbours of a cell in the graph.", ge=2, le=500)
    most_cells: int = option(
        100_000,
        "Of more cells than this so many are drawn from all samples, clustered and mapped; the others follow the"
        " nearest.",
        ge=1000,
        le=2_000_000,
    )
    leiden_resolution: float = option(
        1.0, "Resolution of the Leiden clusters; higher gives more.", gt=0, le=20
    )
    min_dist: float = option(0.5, "UMAP: how close points may lie; lower packs clusters tighter.", ge=0, le=1)


class HarmonyOptions(Section):
    """Harmony: cells are moved in the space of principal components until batches mix."""

    theta: float = option(2.0, "How much mixing counts; 0 for not at all.", ge=0, le=20)
    max_rounds: int = option(10, "Rounds at most.", ge=1, le=100)


class IntegrationOptions(Section):
    """How samples are brought together before clustering; counts and expression are never changed."""

    method: Literal["none", "harmony"] = option(
        "none",
        "`none` puts the samples side by side without correction; `harmony` corrects the principal components that"
        " neighbours, clusters and map are made from.",
    )
    batch_column: str = option(
        "batch",
        "Column of the sample sheet that says which samples are of one batch; where a sheet has no `batch`, each sample"
        " is one.",
        min_length=1,
    )
    harmony: HarmonyOptions = option(HarmonyOptions(), "Options of the method `harmony`.")


class CompositionOptions(Section):
    """How the shares of cell types are compared between conditions, with samples as what is counted."""

    transform: Literal["arcsine", "clr"] = option(
        "arcsine", "Of the shares: arcsine of the square root, or centred log-ratios."
    )
    adjust_for_batch: bool = option(
        True, "Whether batches are a covariate, where conditions can be told apart from them."
    )


class AnnotationOptions(Section):
    """How cells get a type."""

    reference: FilePath | None = option(
        None,
        "Known cell types: cells with raw counts (h5ad, 10x HDF5, loom, matrix.mtx, or CSV with `reference_types`), or"
        " mean expression profiles (CSV or TSV: a row a type, named in `cell_type`; a column a gene); null for no"
        " annotation.",
    )
    reference_types: FilePath | None = option(
        None,
        "Types of the reference's cells (CSV or TSV: the cell, its type, optionally `cell_type_ontology_term_id`); null"
        " where the reference is a table of profiles, or has them itself.",
    )
    type_column: str = option(
        "cell_type", "Column that names the types of a reference's cells.", min_length=1
    )
    method: Literal["auto", "likelihood", "logistic", "both"] = option(
        "auto",
        "With a reference of cells: likelihood of the counts, logistic regression, both, or whichever serves best on"
        " held-back cells of the reference. Profiles allow the likelihood only.",
    )
    reference_scale: Literal["log1p", "linear"] = option(
        "log1p", "Scale of a table of profiles: means of log1p-normalised expression, or linear ones."
    )
    min_confidence: float = option(
        0.5, "Cells whose best type is less probable than this stay `unassigned`.", ge=0, le=1
    )
    min_fit: float = option(
        0.5,
        "Cells that resemble their best type less than this stay `unassigned`: 1 is as well as sampling of"
        " transcripts allows.",
        ge=0,
        le=1,
    )


class NeighbourhoodOptions(Section):
    """Which cell types lie beside which, more or less often than by chance."""

    max_distance_um: float = option(
        30.0, "Cells whose centroids are at most this far apart are neighbours.", unit="um", gt=0, le=1000
    )
    n_permutations: int = option(
        1000, "Shuffles of the types that make the chance distribution.", ge=2, le=100_000
    )


class SpatialOptions(Section):
    """What else is asked of where cells lie."""

    n_niches: int = option(8, "Niches: groups of cells by the types around them; 0 for none.", ge=0, le=100)
    niche_neighbours: int = option(20, "Nearest cells that make a cell's surroundings.", ge=2, le=500)
    co_occurrence_um: Annotated[tuple[float, ...], Strict(False)] = option(
        (20.0, 40.0, 80.0, 160.0),
        "Rising outer radii of the rings in which types are met around types; an empty list for none.",
        unit="um",
    )
    spatial_genes: bool = option(True, "Whether genes alike in neighbouring cells are sought (Moran's I).")
    distances_to: Texts = option(
        (), "Types to whose nearest cell every cell's distance is measured; an empty list for none."
    )
    structures_unit: Literal["um", "px"] = option(
        "um",
        "What the coordinates of structures are (column `structures` of the sample sheet, GeoJSON): micrometres of the"
        " sample, or pixels of its image from the upper left corner, as QuPath exports them.",
    )

    @field_validator("co_occurrence_um")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(radius <= 0 or radius > 1000 for radius in value) or list(value) != sorted(set(value)):
            raise ValueError("give rising radii above 0 and up to 1000")
        return value


class AnalysisOptions(Section):
    """Analysis of the table of cells."""

    seed: int = option(0, "Seed of every random step; the same seed gives the same result.", ge=0, lt=2**31)
    quality: QualityOptions = option(QualityOptions(), "Which cells pass quality control.")
    profiles: ProfilesOptions = option(ProfilesOptions(), "Profiles of the wells of plates.")
    clustering: ClusteringOptions = option(ClusteringOptions(), "Components, neighbours, clusters and UMAP.")
    integration: IntegrationOptions = option(IntegrationOptions(), "How samples are brought together.")
    intensities: IntensityOptions = option(
        IntensityOptions(), "How intensities of proteins are made comparable."
    )
    gating: GatingOptions = option(GatingOptions(), "Cell types by rules on markers.")
    annotation: AnnotationOptions = option(AnnotationOptions(), "How cells get a type.")
    neighbourhood: NeighbourhoodOptions = option(NeighbourhoodOptions(), "Which types lie beside which.")
    spatial: SpatialOptions = option(SpatialOptions(), "What else is asked of where cells lie.")
    composition: CompositionOptions = option(CompositionOptions(), "How conditions are compared.")
    omics: Annotated[tuple[OmicsTable, ...], Strict(False)] = option(
        (), "Tables of other omics (docs/omics.md): name, path, key, and how they are read and normalised."
    )
    joint: JointOptions = option(JointOptions(), "How image features and molecules are analysed together.")

    @field_validator("omics")
    @classmethod
    def _named_once(cls, value: tuple[OmicsTable, ...]) -> tuple[OmicsTable, ...]:
        return check_names(value)
