"""What each option changes: exactly the steps that read it, and those after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planned import PLATE
from pydantic import BaseModel

from isthmus.config.models import Settings
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.plan.digests import RESULT_VERSIONS
from isthmus.plan.machine import Machine
from isthmus.plan.make import OmicsInput, SampleInput, make_plan
from isthmus.plan.rules import OF_OMICS, OF_READS, PER_PLATE, WITHOUT_IMAGE

READS = {
    "import_image": (),
    "survey_image": ("import_image",),
    "segment_pack": ("survey_image",),
    "stitch_labels": ("segment_pack",),
    "import_transcripts": (),
    "quantify_pack": ("stitch_labels", "import_image", "import_transcripts"),
    "build_pyramid": ("quantify_pack",),
    "build_outlines": ("quantify_pack",),
    "build_table": ("quantify_pack",),
    "certify_seams": ("quantify_pack",),
    "assess_quality": ("build_table",),
    "join_modalities": ("assess_quality",),
    "integrate_cohort": ("assess_quality",),
    "analyse": ("integrate_cohort",),
    "annotate": ("analyse",),
    "join_omics": ("annotate",),
    "analyse_omics": ("join_omics",),
    "report": (
        "annotate",
        "analyse_omics",
        "build_pyramid",
        "build_outlines",
        "certify_seams",
        "join_modalities",
    ),
}
"""The steps whose results each step reads."""

NOTHING: tuple[str, ...] = ()

OPTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "use_case": ("spatial_proteomics", ("build_table",)),
    "samples": ("elsewhere/samples.tsv", NOTHING),
    "results": ("elsewhere", NOTHING),
    "image.region_um": ((0.0, 0.0, 300.0, 300.0), ("import_image", "segment_pack", "import_transcripts")),
    "image.intensity_range": ((0.0, 1.0), ("import_image",)),
    "image.z": ("max", NOTHING),  # the digest of the image tells what its planes became
    "segmentation.labels.show": ("cells", NOTHING),  # what follows from it stands in the sample's own options
    "image.panel": ("elsewhere.csv", NOTHING),  # its content counts, not where it lies
    "image.steps_per_unit": (50.0, NOTHING),  # the header tells where it was heeded
    "segmentation.method": ("labels", ("segment_pack",)),
    "segmentation.basins.channel": ("CD3", ("segment_pack",)),
    "segmentation.basins.preset": ("culture", NOTHING),  # all that it stands for is given in these settings
    "segmentation.basins.size_range": (2.0, ("segment_pack",)),
    "segmentation.basins.background_um": (30.0, ("segment_pack",)),
    "segmentation.basins.nucleus_diameter_um": (9.0, ("segment_pack",)),
    "segmentation.basins.measure_diameter": (True, ("survey_image",)),
    "segmentation.basins.sensitivity": (0.7, ("segment_pack",)),
    "segmentation.basins.local_contrast": (0.5, ("segment_pack",)),
    "segmentation.basins.smoothing_um": (0.7, ("segment_pack",)),
    "segmentation.basins.groove_depth": (0.3, ("segment_pack",)),
    "segmentation.basins.roundness": (0.5, ("segment_pack",)),
    "segmentation.basins.min_area_um2": (11.0, ("stitch_labels",)),
    "segmentation.blobs.channel": ("CD3", NOTHING),  # basins is chosen in these settings
    "segmentation.blobs.nucleus_diameter_um": (9.0, NOTHING),
    "segmentation.blobs.sensitivity": (0.5, NOTHING),
    "segmentation.blobs.edge": (0.1, NOTHING),
    "segmentation.blobs.min_area_um2": (11.0, NOTHING),
    "cells.expand_um": (6.0, ("quantify_pack",)),
    "cells.guide.channel": ("CD3", ("quantify_pack",)),
    "cells.guide.kind": ("cytoplasm", NOTHING),  # no channel guides growth in these settings
    "cells.guide.weight": (1.0, NOTHING),
    "quantification.channels": (("CD3",), ("quantify_pack",)),
    "quantification.compartment": ("nucleus", ("build_table",)),
    "quantification.percentiles": ((5.0,), ("quantify_pack",)),
    "quantification.texture": (True, ("quantify_pack",)),
    "quantification.min_qv": (25.0, ("quantify_pack",)),
    "quantification.columns.x_um": ("other", ("import_transcripts",)),
    "quantification.columns.y_um": ("other", ("import_transcripts",)),
    "quantification.columns.z_um": ("other", ("import_transcripts",)),
    "quantification.columns.gene": ("other", ("import_transcripts",)),
    "quantification.columns.qv": ("other", ("import_transcripts",)),
    "quantification.columns.vendor_cell_id": ("other", ("import_transcripts",)),
    "quantification.columns.overlaps_nucleus": ("other", ("import_transcripts",)),
    "quantification.reads.technology": ("10XV2", NOTHING),  # there is an image in these settings
    "quantification.reads.genome": ("elsewhere.fa", NOTHING),
    "quantification.reads.genes": ("elsewhere.gtf", NOTHING),
    "quantification.reads.index": ("elsewhere.idx", NOTHING),
    "quantification.reads.transcripts_to_genes": ("elsewhere.tsv", NOTHING),
    "quantification.reads.barcodes": ("elsewhere.txt", NOTHING),
    "quantification.reads.strand": ("forward", NOTHING),
    "quantification.reads.min_molecules": (7, NOTHING),
    "quantification.control_patterns": (("Blank",), ("build_table",)),
    "analysis.seed": (1, ("analyse", "annotate")),
    "analysis.quality.min_counts": (11, ("assess_quality",)),
    "analysis.quality.min_genes": (6, ("assess_quality",)),
    "analysis.quality.max_counts": (900, ("assess_quality",)),
    "analysis.quality.min_area_um2": (3.0, ("assess_quality",)),
    "analysis.quality.max_area_um2": (300.0, ("assess_quality",)),
    "analysis.quality.max_control_fraction": (0.2, ("assess_quality",)),
    "analysis.quality.exclusive_markers": (("A:B",), ("assess_quality",)),
    "analysis.quality.field_um": (100.0, ("assess_quality",)),
    "analysis.quality.max_mito_fraction": (0.2, ("assess_quality",)),
    "analysis.quality.mito_pattern": ("^mt:", ("assess_quality",)),
    "analysis.quality.doublets": ("scrublet", ("assess_quality",)),
    "analysis.quality.doublet_rate": (0.1, ("assess_quality",)),
    "analysis.quality.min_nuclear_signal": (5.0, ("assess_quality",)),
    "analysis.quality.min_total_intensity": (5.0, ("assess_quality",)),
    "analysis.quality.max_total_intensity": (5.0, ("assess_quality",)),
    "analysis.intensities.transform": ("log1p", NOTHING),  # there are counts in these settings
    "analysis.intensities.cofactor": (5.0, NOTHING),
    "analysis.intensities.normalise": ("none", NOTHING),
    "analysis.gating.gates": ("elsewhere.csv", NOTHING),  # its content counts, not where it lies
    "analysis.gating.threshold": ("otsu", NOTHING),  # nothing is gated in these settings
    "analysis.gating.min_confidence": (0.9, NOTHING),
    "analysis.profiles.plate_map": ("elsewhere.tsv", NOTHING),  # its content counts, not where it lies
    "analysis.profiles.controls": (
        "kind=none",
        NOTHING,
    ),  # these settings are for one image: see below for plates
    "analysis.profiles.plate_effects": ("none", NOTHING),
    "analysis.clustering.n_top_genes": (500, ("analyse",)),
    "analysis.clustering.n_components": (20, ("analyse",)),
    "analysis.clustering.n_neighbours": (20, ("analyse",)),
    "analysis.clustering.most_cells": (5000, ("analyse",)),
    "analysis.clustering.leiden_resolution": (0.5, ("analyse",)),
    "analysis.clustering.min_dist": (0.2, ("analyse",)),
    "analysis.integration.method": ("harmony", ("analyse",)),
    "analysis.integration.batch_column": ("day", ("analyse",)),
    "analysis.integration.harmony.theta": (1.0, NOTHING),  # no method is chosen in these settings
    "analysis.integration.harmony.max_rounds": (3, NOTHING),
    "analysis.spatial.n_niches": (3, ("annotate",)),
    "analysis.spatial.niche_neighbours": (9, ("annotate",)),
    "analysis.spatial.co_occurrence_um": ((9.0,), ("annotate",)),
    "analysis.spatial.spatial_genes": (False, ("annotate",)),
    "analysis.spatial.distances_to": (("B",), ("annotate",)),
    "analysis.spatial.structures_unit": ("px", NOTHING),  # the sample has no structures
    "analysis.composition.transform": ("clr", ("annotate",)),
    "analysis.composition.adjust_for_batch": (False, ("annotate",)),
    "analysis.annotation.reference": ("elsewhere.csv", NOTHING),  # its content counts, not where it lies
    "analysis.annotation.reference_types": ("types.csv", NOTHING),  # likewise
    "analysis.annotation.type_column": ("kind", ("annotate",)),
    "analysis.annotation.method": ("both", ("annotate",)),
    "analysis.annotation.reference_scale": ("linear", ("annotate",)),
    "analysis.annotation.min_confidence": (0.6, ("annotate",)),
    "analysis.annotation.min_fit": (0.6, ("annotate",)),
    "analysis.neighbourhood.max_distance_um": (20.0, ("annotate",)),
    "analysis.neighbourhood.n_permutations": (50, ("annotate",)),
    "analysis.omics": (None, NOTHING),  # see test_tables_of_other_omics
    "analysis.joint.min_correlated": (7, NOTHING),  # there are no tables of other omics in these settings
    "analysis.joint.alpha": (0.01, NOTHING),
    "analysis.joint.min_factored": (20, NOTHING),
    "analysis.joint.n_factors": (3, NOTHING),
    "analysis.joint.n_permutations": (0, NOTHING),
    "execution.block_px": (512, ("segment_pack",)),
    "execution.packs": (3, NOTHING),
    "execution.certificate_windows": (3, ("certify_seams",)),
    "execution.workers": (2, NOTHING),
    "execution.keep_intermediates": (True, NOTHING),
    "metadata.title": ("A title", ("report",)),
    "metadata.description": ("Words", ("report",)),
    "metadata.authors": (({"name": "A. Author"},), ("report",)),
    "metadata.licence": ("CC0-1.0", ("report",)),
    "metadata.keywords": (("word",), ("report",)),
}
"""Of every option: another value, and the steps that read it first."""


def _options(section: BaseModel, prefix: str = "") -> Iterator[str]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _settings(**changes: Any) -> dict[str, Any]:
    made = Settings(samples=Path("samples.tsv")).model_dump(mode="json")
    for path, value in changes.items():
        *sections, name = path.split(".")
        at = made
        for section in sections:
            at = at[section]
        assert name in at
        at[name] = value
    return Settings.model_validate(made, strict=False).model_dump(mode="json")


HEADER = ImageHeader((2, 1, 3000, 4000), "uint16", ("DAPI", "CD3"), Affine.from_size(0.25))


def _sample(header=HEADER, inputs=None, **sheet):
    files = {"image": "i", "transcripts": "t", "labels": "l"} if inputs is None else inputs
    return SampleInput(
        sheet={"sample": "a", "where": "row 2", **sheet},
        where="row 2",
        header=header,
        inputs=files,
        reader="generic",
    )


def _digests(settings=None, sample=None, reference=None, others=()):
    samples = {"a": sample or _sample(), **dict(others)}
    plan = make_plan(settings or _settings(), samples, reference=reference, machine=Machine())
    return plan.samples["a"].digests | plan.cohort


def _after(first):
    changed = set(first)
    for step, before in READS.items():  # in the order of the work
        if changed & set(before):
            changed.add(step)
    return changed


def _after_here(first):
    """Where there are no tables of other omics, their steps are not there."""
    return _after(first) - set(OF_OMICS)


def _changed(one, other):
    assert one.keys() == other.keys()
    return {step for step in one if one[step] != other[step]}


def test_structures_and_their_unit_are_read_by_the_step_that_measures_distances():
    without = _digests()
    inputs = {"image": "i", "transcripts": "t", "labels": "l", "structures": "s"}
    drawn = _digests(sample=_sample(inputs=inputs))
    assert _changed(without, drawn) == _after_here(["assess_quality"])
    others = _digests(sample=_sample(inputs={**inputs, "structures": "other"}))
    assert _changed(drawn, others) == _after_here(["assess_quality"])
    in_pixels = _settings(**{"analysis.spatial.structures_unit": "px"})
    assert _changed(drawn, _digests(in_pixels, _sample(inputs=inputs))) == _after_here(["assess_quality"])


def test_every_option_has_a_declared_effect():
    assert set(_options(Settings(samples=Path("s")))) == set(OPTIONS)


@pytest.mark.parametrize("path", OPTIONS)
def test_an_option_changes_the_steps_that_read_it_and_no_others(path):
    value, first = OPTIONS[path]
    settings = _settings() if value is None else _settings(**{path: value})
    if value is not None:
        assert settings != _settings()
    assert _changed(_digests(), _digests(settings)) == _after_here(first)


def test_options_of_a_method_not_chosen_change_nothing():
    labels = _settings(**{"segmentation.method": "labels"})
    for path, (value, _) in OPTIONS.items():
        if path.startswith("segmentation.basins."):
            other = _settings(**{"segmentation.method": "labels", path: value})
            assert _changed(_digests(labels), _digests(other)) == set(), path


def test_the_seed_matters_for_quality_once_doublets_are_simulated():
    doublets = {"analysis.quality.doublets": "scrublet"}
    first, other = (_digests(_settings(**doublets, **{"analysis.seed": seed})) for seed in (0, 1))
    assert "assess_quality" in _changed(first, other)


@pytest.mark.parametrize("name", ["channel", "nucleus_diameter_um", "sensitivity", "edge", "min_area_um2"])
def test_options_of_blobs_change_its_segmentation(name):
    chosen = {"segmentation.method": "blobs", "segmentation.blobs.min_area_um2": 5.0}
    path = f"segmentation.blobs.{name}"
    changed = _changed(
        _digests(_settings(**chosen)), _digests(_settings(**chosen | {path: OPTIONS[path][0]}))
    )
    assert changed == _after_here(("stitch_labels" if name == "min_area_um2" else "segment_pack",))


@pytest.mark.parametrize("name", ["nucleus_diameter_um", "roundness", "min_area_um2"])
def test_how_nuclei_are_found_matters_for_a_survey_that_measures_them(name):
    path = f"segmentation.basins.{name}"
    measured = {"segmentation.basins.measure_diameter": True}
    value, first = OPTIONS[path]
    if first == ("segment_pack",):
        first = ("survey_image",)
    changed = _changed(_digests(_settings(**measured)), _digests(_settings(**measured, **{path: value})))
    assert changed == _after_here(first)


@pytest.mark.parametrize("name", ["kind", "weight"])
def test_how_a_channel_guides_growth_matters_once_one_does(name):
    path = f"cells.guide.{name}"
    guided = {"cells.guide.channel": "CD3"}
    other = _settings(**guided, **{path: OPTIONS[path][0]})
    assert _changed(_digests(_settings(**guided)), _digests(other)) == _after_here(("quantify_pack",))


@pytest.mark.parametrize(("method", "matters"), [("basins", False), ("toy", True)])
def test_presets_are_those_of_basins(method, matters):
    made = []
    for preset in ("one", "other"):
        settings = _settings()
        settings["segmentation"] |= {"method": method, method: {"preset": preset}}
        made.append(_digests(settings)["segment_pack"])
    assert (made[0] != made[1]) is matters


@pytest.mark.parametrize(
    ("kind", "first"),
    [("image", ("import_image",)), ("transcripts", ("import_transcripts",)), ("labels", ())],
)
def test_files_change_the_steps_that_read_them(kind, first):
    inputs = {"image": "i", "transcripts": "t", "labels": "l"}
    assert _changed(_digests(), _digests(sample=_sample(inputs=inputs | {kind: "other"}))) == _after_here(
        first
    )


def test_imported_labels_are_read_by_segmentation():
    settings = _settings(**{"segmentation.method": "labels"})
    other = _sample(inputs={"image": "i", "transcripts": "t", "labels": "other"})
    assert _changed(_digests(settings), _digests(settings, other)) == _after_here(("segment_pack",))


def test_without_transcripts_there_is_no_step_for_them():
    digests = _digests(sample=_sample(inputs={"image": "i"}))
    assert "import_transcripts" not in digests
    assert digests["quantify_pack"] != _digests()["quantify_pack"]


@pytest.mark.parametrize(
    ("affine", "segmented_again"),
    [(Affine.from_size(0.26), True), (Affine.from_size(0.25, origin_x_um=1.0), False)],
)
def test_where_an_image_lies_changes_what_is_measured(affine, segmented_again):
    header = ImageHeader(HEADER.shape, HEADER.dtype, HEADER.channels, affine)
    changed = _changed(_digests(), _digests(sample=_sample(header)))
    assert {"import_transcripts", "build_table", "build_outlines", "build_pyramid"} <= changed
    assert ("segment_pack" in changed) is segmented_again
    assert "import_image" not in changed


@pytest.mark.parametrize("column", ["batch", "condition", "image_accession", "omics_accession", "biosample"])
def test_a_describing_column_changes_the_table(column):
    assert _changed(_digests(), _digests(sample=_sample(**{column: "x"}))) == _after_here(("build_table",))


def test_a_column_of_the_users_own_changes_the_table():
    other = _sample(extra={"patient": "7"})
    assert _changed(_digests(), _digests(sample=other)) == _after_here(("build_table",))


def test_a_reference_changes_the_annotation():
    assert _changed(_digests(), _digests(reference="r")) == _after_here(("annotate",))
    assert _changed(_digests(reference="s"), _digests(reference="r")) == _after_here(("annotate",))


def test_another_sample_changes_the_cohort_only():
    cohort = _after_here(("integrate_cohort",))
    assert _changed(_digests(), _digests(others={"b": _sample()}.items())) == cohort
    one = _digests(others=[("b", _sample()), ("c", _sample())])
    other = _digests(others=[("c", _sample()), ("b", _sample())])
    assert _changed(one, other) == cohort  # rows of the cohort keep the order of the sheet


@pytest.mark.parametrize("cores", [1, 128])
def test_the_machine_changes_no_digest(cores):
    plan = make_plan(_settings(), {"a": _sample()}, reference=None, machine=Machine(cores=cores))
    assert plan.samples["a"].digests | plan.cohort == _digests()


@pytest.mark.parametrize("step", READS)
def test_a_new_version_of_a_result_is_another_result(monkeypatch, step):
    before = _with_omics()
    monkeypatch.setitem(RESULT_VERSIONS, step, RESULT_VERSIONS[step] + 1)
    assert _changed(before, _with_omics()) == _after((step,))


COHORT = ("integrate_cohort", "analyse", "annotate", "report")


def test_a_sample_without_an_image_has_the_steps_of_its_counts():
    settings = _settings(use_case="single_cell")
    one = _digests(settings, _sample(inputs={"counts": "c"}))
    assert set(one) == {
        "import_counts",
        "assess_quality",
        "integrate_cohort",
        "analyse",
        "annotate",
        "report",
    }
    other = _digests(settings, _sample(inputs={"counts": "d"}))
    assert _changed(one, other) == set(one)
    stricter = _digests(
        _settings(**{"use_case": "single_cell", "analysis.quality.min_counts": 99}),
        _sample(inputs={"counts": "c"}),
    )
    assert _changed(one, stricter) == set(one) - {"import_counts"}


READ = {"reads": "r", "index": "i", "genome": "g"}


@pytest.mark.parametrize(
    ("options", "inputs", "changed"),
    [
        ({}, {"reads": "s"}, ALL_OF_READS := {"count_reads", "import_counts", "assess_quality", *COHORT}),
        ({}, {"index": "j"}, ALL_OF_READS),
        ({}, {"genome": "h"}, {"build_index"}),  # the index that is built of it has a digest of its own
        ({"technology": "10XV2"}, {}, ALL_OF_READS),
        ({"strand": "forward"}, {}, ALL_OF_READS),
        ({"min_molecules": 7}, {}, ALL_OF_READS),
        ({"barcodes": "elsewhere.txt"}, {}, set()),  # its content counts, in the digest of the index
    ],
)
def test_reads_are_counted_anew_when_what_matters_to_them_changes(options, inputs, changed):
    def digests(options, inputs):
        made = {"use_case": "single_cell", **{f"quantification.reads.{k}": v for k, v in options.items()}}
        return _digests(_settings(**made), _sample(inputs={**READ, **inputs}))

    before = digests({}, {})
    assert set(before) == {"build_index", *ALL_OF_READS}
    assert _changed(before, digests(options, inputs)) == changed


def test_every_step_has_a_digest():
    assert set(_with_omics()) == set(READS) == set(RESULT_VERSIONS) - {*PER_PLATE, *WITHOUT_IMAGE, *OF_READS}
    assert set(RESULT_VERSIONS) - set(_digests()) == {*OF_OMICS, *PER_PLATE, *WITHOUT_IMAGE, *OF_READS}


def _with_omics(digest="d", joint=None, **changes):
    settings = _settings()
    settings["analysis"]["omics"] = [{**OMICS, **changes}]
    settings["analysis"]["joint"] |= joint or {}
    made = Settings.model_validate(settings, strict=False).model_dump(mode="json")
    tables = {"prot": OmicsInput(digest, 100)}
    plan = make_plan(made, {"a": _sample()}, reference=None, machine=Machine(), omics=tables)
    return plan.samples["a"].digests | plan.cohort


OMICS = {"name": "prot", "path": "p.csv"}
JOINT = {"join_omics", "analyse_omics", "report"}


def test_tables_of_other_omics_add_their_steps():
    without, joined = _digests(), _with_omics()
    assert joined.keys() - without.keys() == {"join_omics", "analyse_omics"}
    assert {step for step in without if without[step] != joined[step]} == {"report"}
    for alone in ({"key": "cell"}, {"key": "well", "by": "compound"}):
        assert _with_omics(**alone).keys() - without.keys() == {"join_omics"}


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"digest": "other"}, JOINT),
        ({"path": "elsewhere/p.csv"}, set()),
        ({"normalisation": "clr"}, JOINT),
        ({"max_missing": 0.1}, JOINT),
        ({"keys_in": "columns"}, JOINT),
        ({"joint": {"n_factors": 3}}, {"analyse_omics", "report"}),
        ({"joint": {"alpha": 0.01}}, {"analyse_omics", "report"}),
    ],
)
def test_what_is_joined_changes_what_is_joined(changes, changed):
    assert _changed(_with_omics(), _with_omics(**changes)) == changed


@pytest.mark.parametrize(
    ("changes", "inputs"),
    [
        ({"analysis.profiles.controls": "kind=none"}, {}),
        ({"analysis.profiles.plate_effects": "none"}, {}),
        ({}, {"plate_map": "another"}),
    ],
)
def test_what_profiles_read_changes_them_and_the_report(changes, inputs):
    def digests(changes, inputs):
        given = replace(PLATE, inputs={**PLATE.inputs, "plate_map": "m", **inputs})
        plan = make_plan(_settings(**changes), {"a": given}, reference=None, machine=Machine())
        return {**plan.samples["a"].digests, **plan.cohort}

    before, after = digests({}, {}), digests(changes, inputs)
    assert {step for step in before if before[step] != after[step]} == {"profile_wells", "report"}


def test_images_of_a_sample_change_what_reads_them():
    def digests(sample):
        plan = make_plan(_settings(), {"a": sample}, reference=None, machine=Machine())
        return plan.samples["a"].digests

    before = digests(PLATE)
    first, *others = PLATE.images
    fewer = digests(replace(PLATE, images=tuple(others)))
    assert {step for step in before if before[step] == fewer[step]} == set()
    described = digests(replace(PLATE, images=(first.model_copy(update={"name": "other"}), *others)))
    changed = {step for step in before if before[step] != described[step]}
    assert changed == {"build_table", "assess_quality", "join_modalities", "profile_wells", "build_outlines"}
