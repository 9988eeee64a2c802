"""Several segmentations of one image: which are compared, what stays out of the cohort, and what is told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import planned
import pytest
from pydantic import ValidationError

from isthmus.blocks.grid import Grid, Region
from isthmus.config.models import ImageOptions, QualityOptions, Settings
from isthmus.image.ome_zarr import create_level
from isthmus.plan.machine import Machine
from isthmus.plan.make import make_plan
from isthmus.plan.model import ImagePlan
from isthmus.plan.paths import RunPaths
from isthmus.report.sections_counts import counts_section
from isthmus.report.sections_segmentations import segmentations_section
from isthmus.report.text import DASH
from isthmus.steps import compare_segmentations
from isthmus.tables.overlaps import add_overlaps

LABELS = {"segmentation": {"method": "labels"}, "cells": {"expand_um": 0.0}}
OURS = planned._input((1, 1, 600, 700), 0.2, inputs=("image", "transcripts", "labels"))
VENDOR = replace(OURS, own=LABELS)


def plan_of(**samples):
    settings = Settings.model_validate({"samples": "samples.tsv"}).model_dump(mode="json")
    return make_plan(settings, samples, reference=None, machine=Machine())


def test_a_second_method_on_one_image_is_compared_with_the_first():
    plan = plan_of(a=OURS, b=VENDOR)
    assert plan.compared() == {"b": "a"}
    assert plan.cohort_samples == ["a"]
    assert plan_of(b=VENDOR, a=OURS).compared() == {"a": "b"}


def test_two_label_images_of_one_image_are_compared():
    model = replace(VENDOR, inputs={**VENDOR.inputs, "labels": "of a model"})
    assert plan_of(a=VENDOR, b=model).compared() == {"b": "a"}
    assert plan_of(a=VENDOR, b=VENDOR).compared() == {}


def test_samples_of_one_method_or_of_other_images_are_not():
    other = replace(VENDOR, inputs={**VENDOR.inputs, "image": "another"})
    assert plan_of(a=OURS, b=OURS).compared() == {}
    assert plan_of(a=OURS, b=other).compared() == {}
    assert plan_of(a=OURS, b=other).cohort_samples == ["a", "b"]


def test_planes_of_a_stack_are_compared_too():
    image = ImagePlan(path="z0", name="z0", shape=(1, 600, 700), affine=OURS.header.affine.numbers())
    several = {"images": (image, image.model_copy(update={"path": "z1", "name": "z1"})), "layout": "planes"}
    ours, vendor = replace(OURS, **several), replace(VENDOR, **several)
    assert plan_of(a=ours, b=vendor).compared() == {"b": "a"}
    assert plan_of(a=ours, b=VENDOR).compared() == {}, "a projection and its planes"


def test_overlaps_are_those_of_all_images(tmp_path):
    """Two images of two blocks: a cell of the same pixels in each, and one that only one sample has."""
    paths = RunPaths(tmp_path)
    image = ImagePlan(path="z0", name="z0", shape=(1, 300, 20), affine=OURS.header.affine.numbers())
    images = (image, image.model_copy(update={"path": "z1", "name": "z1"}))
    plan = plan_of(a=replace(OURS, images=images, layout="planes")).samples["a"]
    plan = plan.model_copy(update={"grid": Grid((1, 300, 20), (1, 256, 256))})
    for sample, numbers in (("a", (1, 2)), ("b", (5, 9))):
        for path, number in zip(("z0", "z1"), numbers, strict=True):
            array = paths.sample(sample).labels_at(path) / "cells" / "0"
            level = create_level(
                array, shape=(1, 300, 20), dtype=np.dtype(np.uint16), chunk=(1, 256, 256), shard=(1, 256, 256)
            )
            pixels = np.zeros((1, 300, 20), np.uint16)
            pixels[0, 250:260, 3:9] = number
            if sample == "b" and path == "z1":
                pixels[0, :5] = 10
            level.write(Region((0, 0, 0), (1, 300, 20)), pixels)
    job = SimpleNamespace(paths=paths, plan=SimpleNamespace(sample=lambda name: plan))
    found = add_overlaps(compare_segmentations._pieces(job, "a", "b"))
    one, two, iou = found.matches()
    assert (one.tolist(), two.tolist(), iou.tolist()) == ([1, 2], [5, 9], [1.0, 1.0])
    assert found.ids_b.tolist() == [5, 9, 10]


def test_a_samples_own_options_change_its_steps_only():
    plan = plan_of(a=OURS, b=VENDOR)
    a, b = plan.samples["a"].digests, plan.samples["b"].digests
    assert a["import_image"] == b["import_image"]
    assert a["import_transcripts"] == b["import_transcripts"]
    assert a["segment_pack"] != b["segment_pack"]
    assert plan.samples["b"].settings(plan.settings)["cells"]["expand_um"] == 0.0
    assert plan.settings["cells"]["expand_um"] == 3.0


def test_the_comparison_is_told_in_rows():
    row = {
        "method": "labels",
        "cells": 1200,
        "passed": 1000,
        "median_counts": 55.0,
        "median_area_um2": None,
        "in_cells": 50,
        "transcripts": 200,
        "double_positive": 0.0125,
        "negative_rate": None,
    }
    pair = {
        "sample": "b",
        "with": "a",
        "same": 900,
        "only_here": 3,
        "only_there": 4,
        "f1": 0.8,
        "mean_iou": 0.75,
    }
    record = {"samples": {"b": row}, "pairs": [{**pair, "correlation": None}]}
    section = segmentations_section(SimpleNamespace(comparison=record))
    assert section.samples == [("b", "labels", "1,200", "1,000", "55", DASH, "25.0 %", DASH, "1.2 %")]
    assert section.pairs == [("a and b", "900", "4", "3", "0.800", "0.750", DASH)]
    assert segmentations_section(SimpleNamespace(comparison=None)) is None


def test_the_quality_of_counts_is_told_in_words():
    fields = [
        {"field": str(k), "n_cells": 20, "median_counts": 10.0 + k, "z": z} for k, z in enumerate((-5.0, 0.1))
    ]
    record = {
        "outside_cells": 0.25,
        "negative_rate": 0.012,
        "double_positive": None,
        "pairs": [{"pair": "A:B", "missing": ["B"], "either": 0, "both": 0, "share": None}],
        "fields_are": "fields of view",
        "fields": fields,
        "conspicuous": ["0"],
    }
    section = counts_section(SimpleNamespace(quality={"counts": record}))
    assert [(name, value) for name, value, _ in section.measures] == [
        ("Transcripts outside cells", "25.0 %"),
        ("Negative controls", "1.2 %"),
    ]
    assert section.pairs == [("A and B", "0", "0", "not in the panel: B")]
    assert section.fields[0] == ("0", "20", "10", "-5.0")
    assert section.fields_told.startswith("Of 2 fields of view with enough cells, one is more than 3.5")
    assert counts_section(SimpleNamespace(quality={})) is None


@pytest.mark.parametrize("pair", ["A", "A:B:C", ":B", "A:A"])
def test_what_is_no_pair_of_genes_is_refused(pair):
    with pytest.raises(ValidationError, match="is no pair of genes"):
        QualityOptions(exclusive_markers=(pair,))


@pytest.mark.parametrize("z", [-1, True, "median", 1.5])
def test_what_is_no_choice_of_planes_is_refused(z):
    with pytest.raises(ValidationError):
        ImageOptions(z=z)
