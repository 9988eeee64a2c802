"""The configuration: one strict model a section, the only definition of every option.

`config/config.yaml`, `config/schema.json` and the tables of `config/README.md` are generated from here.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Strict, field_validator, model_validator

from isthmus.config.analysis import (
    AnalysisOptions,
    AnnotationOptions,
    ClusteringOptions,
    CompositionOptions,
    HarmonyOptions,
    IntegrationOptions,
    NeighbourhoodOptions,
    QualityOptions,
    SpatialOptions,
)
from isthmus.config.metadata import Author, MetadataOptions
from isthmus.config.options import FilePath, Section, Texts, option
from isthmus.config.reads import ReadsOptions
from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.config.use_cases import UseCaseName

__all__ = [
    "AnalysisOptions",
    "AnnotationOptions",
    "Author",
    "BasinsOptions",
    "CellsOptions",
    "ClusteringOptions",
    "CompositionOptions",
    "ExecutionOptions",
    "GuideOptions",
    "HarmonyOptions",
    "ImageOptions",
    "IntegrationOptions",
    "MetadataOptions",
    "NeighbourhoodOptions",
    "QualityOptions",
    "QuantificationOptions",
    "SegmentationOptions",
    "Settings",
    "SpatialOptions",
]

MIN_BLOCK_PX = 256

CONTROL_PATTERNS = (
    "NegControlProbe_",
    "NegControlCodeword_",
    "antisense_",
    "BLANK_",
    "Blank-",
    "UnassignedCodeword_",
    "DeprecatedCodeword_",
    "Intergenic_Region_",
    "NegPrb",
    "Negative",
    "SystemControl",
    "FalseCode",
)


class ImageOptions(Section):
    """Which part of the image is used."""

    region_um: Annotated[tuple[float, float, float, float], Strict(False)] | None = option(
        None,
        "Window x0, y0, x1, y1 in the sample's micrometres, to try parameters out cheaply; null for all.",
        unit="um",
    )

    intensity_range: Annotated[tuple[float, float], Strict(False)] | None = option(
        None,
        "Pixel values low, high that become 0 and 65535, those between in proportion and others cut; for images of"
        " fractions or of more than 16 bits. Null takes values as they are.",
    )

    @field_validator("intensity_range")
    @classmethod
    def _ascends(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("the first value must be below the second")
        return value

    z: Literal["auto", "all", "each", "max", "mean"] | int = option(
        "auto",
        "What becomes of several planes: `all` makes a volume, `each` an image of every plane, `max` and `mean` project"
        " them, a number takes one plane (from 0). `auto` projects the planes of a MERSCOPE region by `max`, takes an"
        " ImageXpress plate's own projection (or `max`), and makes a volume of all else.",
    )

    @field_validator("z")
    @classmethod
    def _from_zero(cls, value: str | int) -> str | int:
        if isinstance(value, int) and (isinstance(value, bool) or value < 0):
            raise ValueError("planes are numbered from 0; or give auto, all, each, max or mean")
        return value

    panel: FilePath | None = option(
        None,
        "Panel of the channels (CSV or TSV: columns `channel`, `marker` and `role`, which is one of nuclear, membrane,"
        " cytoplasm, lineage, state, ignore); null for none. It names channels, finds nuclei in the sum of the nuclear"
        " ones and lets membranes guide growth, where no other options say so.",
    )
    steps_per_unit: float | None = option(
        None,
        "Steps in which one unit of a floating-point image is stored, as whole numbers; intensities in tables are in"
        " the image's units again. Values that do not fit are an error. Null takes 100 for imaging mass cytometry"
        " (counts to a hundredth).",
        gt=0,
    )

    @model_validator(mode="after")
    def _one_scale(self) -> ImageOptions:
        if self.intensity_range is not None and self.steps_per_unit is not None:
            raise ValueError(
                "intensity_range and steps_per_unit both say how pixels are stored; keep one of them"
            )
        return self

    @field_validator("region_um")
    @classmethod
    def _has_area(
        cls, value: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if value is not None and not (value[0] < value[2] and value[1] < value[3]):
            raise ValueError("the window is empty: x0 must be below x1 and y0 below y1")
        return value


class GuideOptions(Section):
    """A channel that guides the growth of cells; without one, cells grow evenly."""

    channel: str | None = option(None, "Channel that guides growth; null for none.")
    kind: Literal["membrane", "cytoplasm"] = option(
        "membrane",
        "What the channel shows: bright membranes hold growth up, or dark gaps between cytoplasm do.",
    )
    weight: float = option(
        4.0,
        "How much dearer a step into a pixel is that holds growth up fully; 0 for not at all.",
        ge=0,
        le=100,
    )


class CellsOptions(Section):
    """How cells are made from nuclei."""

    expand_um: float = option(
        3.0,
        "Largest distance that a cell reaches beyond its nucleus; 0 makes the cell its nucleus.",
        unit="um",
        ge=0,
        le=50,
    )
    guide: GuideOptions = option(GuideOptions(), "A channel that guides the growth of cells.")


_NULL = "; null for the usual names."


class ColumnsOptions(Section):
    """Which column of a table of transcripts holds what, where readers cannot know; docs/readers.md has their names."""

    x_um: str | None = option(None, "x in micrometres" + _NULL)
    y_um: str | None = option(None, "y in micrometres" + _NULL)
    z_um: str | None = option(
        None, "z in micrometres, or the number of the plane in MERSCOPE's tables" + _NULL
    )
    gene: str | None = option(None, "Name of the gene or control" + _NULL)
    qv: str | None = option(None, "Quality on the Phred scale" + _NULL)
    vendor_cell_id: str | None = option(None, "The vendor's cell" + _NULL)
    overlaps_nucleus: str | None = option(None, "Whether it lies in the vendor's nucleus" + _NULL)


class QuantificationOptions(Section):
    """What is measured in every cell."""

    channels: Texts | None = option(None, "Channels whose intensities are measured; null for all.")
    compartment: Literal["cell", "nucleus", "cytoplasm"] = option(
        "cell",
        "Where the mean intensities lie that are the values (`X`) of protein assays; those of all compartments are in"
        " the table's `intensity` anyway.",
    )
    percentiles: Annotated[tuple[float, ...], Strict(False)] = option(
        (50.0,),
        "Percentiles (0 to 100) of the intensities in every compartment; 50 is the median. An empty list for none.",
    )
    texture: bool = option(
        False,
        "Whether texture is measured: contrast, dissimilarity, correlation and entropy of every channel.",
    )
    min_qv: float = option(
        20.0,
        "Lowest quality value (Phred scale) of a transcript that counts; others are reported apart.",
        ge=0,
        le=100,
    )
    control_patterns: Texts = option(
        CONTROL_PATTERNS,
        "Regular expressions; a feature whose name begins with a match is a negative control, not a gene.",
    )

    columns: ColumnsOptions = option(
        ColumnsOptions(), "Names of columns of the tables of transcripts, where they are not the usual ones."
    )
    reads: ReadsOptions = option(ReadsOptions(), "How FASTQ files of dissociated cells become counts.")

    @field_validator("percentiles")
    @classmethod
    def _in_thousandths(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        for percentile in value:
            if not 0 <= percentile <= 100 or round(percentile, 3) != percentile:
                raise ValueError(
                    f"{percentile!r} is no percentile; give numbers from 0 to 100 of at most three decimals"
                )
        if len(set(value)) < len(value):
            raise ValueError("a percentile is named twice; name each once")
        return value

    @field_validator("control_patterns")
    @classmethod
    def _compiles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression ({error})") from None
            if re.match(pattern, ""):
                raise ValueError(f"'{pattern}' matches every name")
        return value


class ExecutionOptions(Section):
    """How the work is cut; changes speed and memory only, never a result."""

    block_px: int | Annotated[tuple[int, int, int], Strict(False)] | None = option(
        None,
        "Edge of a block: one number, or z, y, x. Powers of two, y and x at least 256. Null lets the plan decide: 1024,"
        " in planes of more than 1024 such blocks 2048 or 4096, in volumes 64, 512, 512.",
        unit="px",
    )
    packs: int | None = option(
        None,
        "Scheduler jobs that a pass over the image is cut into; null lets the plan decide.",
        ge=1,
        le=100_000,
    )
    workers: int | None = option(
        None, "Processes that work through a pack; null for one a core given.", ge=1, le=4096
    )
    keep_intermediates: bool = option(
        False,
        "Keep what pass 1 leaves when a run is complete; then other options of cells or quantification need no new"
        " segmentation.",
    )

    certificate_windows: int = option(
        8,
        "Windows across seams that are computed again without cuts, to show that the cuts change nothing.",
        ge=0,
        le=10_000,
    )

    @field_validator("block_px")
    @classmethod
    def _powers_of_two(cls, value: int | tuple[int, int, int] | None) -> int | tuple[int, int, int] | None:
        if value is None:
            return None
        z, y, x = value if isinstance(value, tuple) else (1, value, value)
        if min(y, x) < MIN_BLOCK_PX or z < 1 or any(n & (n - 1) for n in (z, y, x)):
            raise ValueError("must be a power of two of at least 256 (256, 512, 1024, ...); z may be smaller")
        return value


class Settings(Section):
    """The whole configuration of a run."""

    use_case: UseCaseName = option(
        "imaging_transcriptomics", "What kind of data this is, and with it which steps run."
    )
    samples: FilePath = option(..., "Sample sheet (TSV), a row a sample.")
    results: FilePath | None = option(
        None, "Folder of the results, relative to the working directory; null for results/<use_case>."
    )
    image: ImageOptions = option(ImageOptions(), "Which part of the image is used.")
    segmentation: SegmentationOptions = option(SegmentationOptions(), "How nuclei are found.")
    cells: CellsOptions = option(CellsOptions(), "How cells are made from nuclei.")
    quantification: QuantificationOptions = option(QuantificationOptions(), "What is measured in every cell.")
    analysis: AnalysisOptions = option(AnalysisOptions(), "Analysis of the table of cells.")
    execution: ExecutionOptions = option(ExecutionOptions(), "How the work is cut; never changes a result.")
    metadata: MetadataOptions = option(MetadataOptions(), "Description of the run.")
