"""What each step's result depends on.

A step's digest covers the version of its results, the parameters that matter to it, the inputs it reads and the digests
of the steps before it. Results are exact, so an equal digest means an equal result: a step runs again when, and only
when, its digest has changed or its result is missing. How many packs there are is in no digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.config.omics import JOINT_UNITS
from isthmus.config.use_cases import USE_CASES
from isthmus.plan.identity import digest_of

RESULT_VERSIONS: dict[str, int] = {
    "import_image": 2,
    "import_transcripts": 2,
    "survey_image": 2,
    "segment_pack": 5,
    "stitch_labels": 3,
    "quantify_pack": 7,
    "build_pyramid": 1,
    "build_table": 6,
    "build_outlines": 1,
    "certify_seams": 2,
    "build_index": 1,
    "count_reads": 1,
    "import_counts": 1,
    "assess_quality": 2,
    "join_modalities": 1,
    "profile_wells": 1,
    "integrate_cohort": 3,
    "analyse": 3,
    "annotate": 3,
    "join_omics": 2,
    "analyse_omics": 1,
    "report": 4,
}
"""Raise a step's number when a change of the code changes its results; a golden-value test tells when that is due."""

STITCH_OPTIONS = ("min_area_um2",)
"""Options of the method `basins` that only stitching reads."""


def sample_digests(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    geometry: Mapping[str, Any],
    sheet: Mapping[str, Any],
) -> dict[str, str]:
    """Digest of every step of one sample.

    Parameters
    ----------
    settings
        The configuration as JSON.
    inputs
        Digest of the files of `image`, and of `transcripts`, `labels`, `structures` and `panel` where there are any;
        without an image of `counts`, or of `reads` and their `index`.
    geometry
        Keys `window`, `affine`, `z_step_um`, `spacing_um`, `channels`, `steps_per_unit` and `block_px`.
    sheet
        The columns of the sample sheet that describe the sample in the tables.
    """
    made: dict[str, str] = {}
    if "image" not in inputs:
        return _counts_digests(settings, inputs, sheet)
    segmentation = settings["segmentation"]
    method = segmentation["method"]
    options = dict(segmentation.get(method) or {})
    if method == "labels":
        options = {}  # What they show is told by how cells are made of them.
    if method == "basins":
        del options["preset"]  # The other options hold what it stands for.
    stitching = {name: options.pop(name) for name in STITCH_OPTIONS if name in options}
    place = {key: geometry[key] for key in ("affine", "z_step_um")}

    def add(step: str, *parts: object) -> str:
        made[step] = digest_of([step, RESULT_VERSIONS[step], *parts])
        return made[step]

    values = settings["image"].get("intensity_range")
    image = add(
        "import_image",
        inputs["image"],
        geometry["window"],
        geometry["channels"],
        geometry["steps_per_unit"],
        *([values] if values else []),
    )
    sizes = (options, geometry["spacing_um"]) if options.get("measure_diameter") else None
    survey = add("survey_image", image, sizes)
    source = inputs["labels"] if method == "labels" else survey
    segment = add(
        "segment_pack",
        source,
        geometry["window"],
        method,
        options,
        geometry["spacing_um"],
        geometry["block_px"],
    )
    stitch = add("stitch_labels", segment, stitching)
    points = None
    measured = dict(settings["quantification"])
    measured.pop("reads", None)
    columns = {k: v for k, v in measured.pop("columns", {}).items() if v}
    if "transcripts" in inputs:
        points = add("import_transcripts", inputs["transcripts"], geometry["window"], place, columns)
    controls = measured.pop("control_patterns")
    compartment = measured.pop("compartment")
    quantify = add("quantify_pack", stitch, image, points, _cells_read(settings["cells"]), measured)
    add("build_pyramid", quantify, place)
    add("build_outlines", quantify, place, *([names] if (names := geometry.get("names")) else []))
    add("certify_seams", quantify, settings["execution"]["certificate_windows"])
    holds = (USE_CASES[settings["use_case"]].x, compartment, inputs.get("panel"))
    counted = [inputs["counts"]] if "counts" in inputs else []
    table = add("build_table", quantify, controls, place, dict(sheet), *holds, *counted)
    drawn = (
        [inputs["structures"], settings["analysis"]["spatial"]["structures_unit"]]
        if "structures" in inputs
        else []
    )
    assessed = add("assess_quality", table, *_quality_read(settings["analysis"]), *drawn)
    add("join_modalities", assessed)
    if geometry.get("layout") == "plate":
        read = {k: v for k, v in settings["analysis"]["profiles"].items() if k != "plate_map"}
        add("profile_wells", assessed, read, inputs.get("plate_map"))
    return made


def _counts_digests(
    settings: Mapping[str, Any], inputs: Mapping[str, str], sheet: Mapping[str, Any]
) -> dict[str, str]:
    """Digests of the steps of a sample that has no image."""
    made: dict[str, str] = {}
    if "reads" in inputs:
        options = settings["quantification"]["reads"]
        read = {name: options[name] for name in ("technology", "strand", "min_molecules")}
        parts = [inputs["reads"], inputs["index"], read]
        made["count_reads"] = digest_of(["count_reads", RESULT_VERSIONS["count_reads"], *parts])
    counts = made.get("count_reads") or inputs["counts"]
    counted = digest_of(["import_counts", RESULT_VERSIONS["import_counts"], counts, dict(sheet)])
    quality = [counted, *_quality_read(settings["analysis"])]
    assessed = digest_of(["assess_quality", RESULT_VERSIONS["assess_quality"], *quality])
    return {**made, "import_counts": counted, "assess_quality": assessed}


def _quality_read(analysis: Mapping[str, Any]) -> list[Any]:
    """The options that quality control reads: the seed only where doublets are made at random."""
    quality = analysis["quality"]
    return [quality, analysis["seed"]] if quality["doublets"] != "none" else [quality]


def _cells_read(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The options of cells that are read: how a channel guides growth matters only if one does."""
    guide = cells["guide"]
    return {**cells, "guide": guide if guide["channel"] is not None else None}


_SHOWN = ("build_pyramid", "build_outlines", "certify_seams", "join_modalities", "profile_wells")
"""Steps of a sample whose results the report shows or names."""


def _integration_read(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """The options of integration that are read: those of the method chosen."""
    options = analysis["integration"]
    method = options["method"]
    return {"method": method, "batch_column": options["batch_column"], "options": options.get(method)}


def has_joint_omics(analysis: Mapping[str, Any]) -> bool:
    """Whether a table of other omics is about samples or wells, which are analysed with images and counts."""
    return any(table["key"] in JOINT_UNITS and table["by"] is None for table in analysis["omics"])


def cohort_digests(
    settings: Mapping[str, Any],
    *,
    samples: Mapping[str, Mapping[str, str]],
    inputs: Mapping[str, str],
    omics: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Digest of every step that works on all samples together.

    Parameters
    ----------
    samples
        Digests of each sample's steps.
    inputs
        Digest of the annotation's reference, key `reference`, of its marker table, key `gates`, and of the genome that
        reads are looked up in, key `genome`, where there is one.
    omics
        Digest of the file of each table of other omics, by its name.
    """
    analysis = settings["analysis"]
    made: dict[str, str] = {}

    def add(step: str, *parts: object) -> str:
        made[step] = digest_of([step, RESULT_VERSIONS[step], *parts])
        return made[step]

    if "genome" in inputs:
        add("build_index", inputs["genome"])
    # As lists, because the samples' order is that of the cohort's rows.
    tables = [[name, digests["assess_quality"]] for name, digests in samples.items()]
    joined = add("integrate_cohort", tables)
    comparable = analysis["intensities"] if USE_CASES[settings["use_case"]].x == "intensities" else None
    analysed = add(
        "analyse", joined, analysis["seed"], analysis["clustering"], _integration_read(analysis), comparable
    )
    files = ("reference", "reference_types")
    annotation = {k: v for k, v in analysis["annotation"].items() if k not in files}
    gating = {k: v for k, v in analysis["gating"].items() if k != "gates"}
    annotated = add(
        "annotate",
        analysed,
        inputs.get("reference"),
        annotation,
        (inputs.get("gates"), gating) if "gates" in inputs else None,
        analysis["neighbourhood"],
        {k: v for k, v in analysis["spatial"].items() if k != "structures_unit"},
        analysis["composition"],
        analysis["seed"],
    )
    shown = [
        [name, *(digests[step] for step in _SHOWN if step in digests)] for name, digests in samples.items()
    ]
    joint = None
    if analysis["omics"]:
        tables_of_omics = [
            [{k: v for k, v in table.items() if k != "path"}, (omics or {}).get(table["name"])]
            for table in analysis["omics"]
        ]
        wells = [of["profile_wells"] for of in samples.values() if "profile_wells" in of]
        described = wells if any(table["key"] == "well" for table in analysis["omics"]) else []
        joint = add("join_omics", annotated, tables_of_omics, *described)
        if has_joint_omics(analysis):
            joint = add("analyse_omics", joint, analysis["joint"], analysis["seed"])
    add("report", annotated, joint, shown, settings["metadata"])
    return made
