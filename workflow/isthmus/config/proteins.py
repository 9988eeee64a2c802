"""Options of the analysis of protein intensities."""

from __future__ import annotations

from typing import Literal

from isthmus.config.options import FilePath, Section, option


class IntensityOptions(Section):
    """How intensities of proteins are made comparable before clustering; the raw ones stay in a layer."""

    transform: Literal["arcsinh", "log1p", "none"] = option(
        "arcsinh", "Of the intensities: arcsinh of intensity / cofactor, logarithm of 1 + intensity, or none."
    )
    cofactor: float | None = option(
        None,
        "Intensity up to which arcsinh is nearly linear: 1 to 5 for counts of mass cytometry, 150 for 16-bit"
        " fluorescence; null takes each marker's median over all cells.",
        gt=0,
    )
    normalise: Literal["z", "robust", "percentile", "none"] = option(
        "z",
        "Per sample and marker, after the transform: mean 0 and standard deviation 1 (`z`), median 0 and median"
        " absolute deviation 1 (`robust`), 1st to 99th percentile to 0 to 1 (`percentile`), or `none`.",
    )


class GatingOptions(Section):
    """Cell types by rules on markers, with thresholds found in the data of each sample."""

    gates: FilePath | None = option(
        None,
        "Marker table (CSV or TSV: columns `cell_type`, `positive` and `negative` with markers separated by spaces);"
        " null for none.",
    )
    threshold: Literal["mixture", "otsu"] = option(
        "mixture",
        "How a marker's threshold is found in each sample: between the two normal distributions that fit its"
        " transformed intensities, or by Otsu's method.",
    )
    min_confidence: float = option(
        0.5,
        "Cells whose weakest rule of the best type is less probable than this stay `unassigned`.",
        ge=0,
        le=1,
    )
