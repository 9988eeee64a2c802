"""The plan: what it says of a run, what it keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isthmus.blocks.grid import Region
from isthmus.config.models import Settings
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.plan.layout import block_shape
from isthmus.plan.machine import Machine
from isthmus.plan.make import SampleInput, make_plan
from isthmus.plan.model import RunPlan, read_plan, write_plan
from isthmus.plan.paths import pack_names, pack_number
from isthmus.plan.predict import predict
from isthmus.plan.windows import window_of


def _settings(**execution):
    made = Settings(samples=Path("samples.tsv")).model_dump(mode="json")
    made["execution"] |= execution
    return made


def _header(shape=(2, 1, 3000, 4000), affine=None, z_step_um=1.0):
    return ImageHeader(shape, "uint16", ("DAPI", "CD3"), affine or Affine.from_size(0.25, 100, 50), z_step_um)


def _plan(settings=None, header=None, previous=None, *, image="i", cores=4):
    sample = SampleInput(
        sheet={"sample": "a", "where": "row 2", "extra": {"patient": "7"}},
        where="samples.tsv, row 2",
        header=header or _header(),
        inputs={"image": image, "transcripts": "t"},
        reader="generic",
        notes=("a note",),
    )
    return make_plan(
        settings or _settings(),
        {"a": sample},
        reference=None,
        machine=Machine(cores=cores),
        previous=previous,
    )


def test_a_plan_comes_back_from_its_file(tmp_path):
    plan = _plan()
    write_plan(plan, tmp_path / "results" / "plan.json")
    assert read_plan(tmp_path / "results" / "plan.json") == plan
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["plan.json"]


def test_an_equal_plan_is_left_untouched(tmp_path):
    path = tmp_path / "plan.json"
    write_plan(_plan(), path)
    before = path.stat()
    write_plan(_plan(), path)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    write_plan(_plan(_settings(packs=3)), path)
    assert read_plan(path).samples["a"].packs == 3


def test_the_same_run_has_the_same_plan():
    assert _plan().model_dump_json() == _plan().model_dump_json()


def _without(name):
    def harm(text):
        value = json.loads(text)
        del value[name]
        return json.dumps(value)

    return harm


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"version": 2', '"version": 1'),
        lambda text: text.replace('"packs": 1', '"packs": "many"'),
        lambda text: text.replace('"packs": 1', '"packs": 1, "unknown": 2'),
        _without("samples"),
        _without("settings"),
    ],
)
def test_a_damaged_plan_says_what_to_do(tmp_path, harm):
    path = tmp_path / "plan.json"
    write_plan(_plan(), path)
    whole = path.read_text()
    assert harm(whole) != whole
    path.write_text(harm(whole))
    with pytest.raises(UserError, match="the plan is damaged or of another version.*; delete it") as caught:
        read_plan(path)
    assert str(path) in str(caught.value)
    write_plan(_plan(), path)
    assert read_plan(path) == _plan()


def test_a_plan_that_is_no_text_is_damaged_too(tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="damaged"):
        read_plan(path)
    write_plan(_plan(), path)
    assert read_plan(path) == _plan()


def test_no_plan_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match="start the run with `isthmus run`"):
        read_plan(tmp_path / "plan.json")


def test_packs_are_kept_while_nothing_asks_for_others():
    first = _plan(_settings(packs=5))
    assert first.samples["a"].packs == 5
    assert _plan(previous=first).samples["a"].packs == 5
    assert _plan(previous=first, cores=64).samples["a"].packs == 5
    assert _plan(_settings(packs=2), previous=first).samples["a"].packs == 2
    assert _plan(previous=first, image="other").samples["a"].packs == 1
    assert _plan(_settings(block_px=512), previous=first).samples["a"].packs == 1


def test_there_are_no_more_packs_than_blocks():
    assert _plan(_settings(packs=10_000)).samples["a"].packs == 12
    assert _plan(_settings(packs=10_000, block_px=4096)).samples["a"].packs == 1


def test_packs_share_out_all_blocks():
    plan = _plan(_settings(packs=5))
    sample = plan.samples["a"]
    assert plan.packs("a") == ["1-of-5", "2-of-5", "3-of-5", "4-of-5", "5-of-5"]
    assert [block for pack in plan.packs("a") for block in sample.blocks_of(pack)] == list(range(12))


@pytest.mark.parametrize(
    ("shape", "block_px", "fits"),
    [
        ((1, 1, 40_000, 40_000), 16_384, True),
        ((1, 1, 40_000, 40_000), 32_768, False),
        ((1, 1, 9_000, 9_000), 65_536, True),  # the image is smaller than the block
        ((1, 900, 4_000, 4_000), 2_048, True),
        ((1, 900, 4_000, 4_000), 4_096, False),
    ],
)
def test_a_block_that_indices_cannot_count_is_refused(shape, block_px, fits):
    settings, header = _settings(block_px=block_px), _header(shape)
    if fits:
        _plan(settings, header)
        return
    with pytest.raises(UserError, match=r"execution.block_px: a block of .* is too large"):
        _plan(settings, header)


@pytest.mark.parametrize("packs", [1, 3, 12])
def test_names_of_packs_tell_their_numbers(packs):
    assert [pack_number(name) for name in pack_names(packs)] == [(p, packs) for p in range(1, packs + 1)]


@pytest.mark.parametrize(
    ("block_px", "shape", "expected"),
    [
        (1024, (1, 5, 5), (1, 1024, 1024)),
        (512, (9, 5, 5), (64, 512, 512)),
        ([16, 256, 512], (9, 5, 5), (16, 256, 512)),
        ((16, 256, 512), (1, 5, 5), (1, 256, 512)),
    ],
)
def test_blocks_of_planes_and_volumes(block_px, shape, expected):
    assert block_shape(block_px, shape) == expected


@pytest.mark.parametrize(
    ("region_um", "start", "stop"),
    [
        (None, (0, 0), (3000, 4000)),
        ((100, 50, 101, 50.5), (0, 0), (2, 4)),
        ((100.1, 50.1, 100.9, 50.4), (0, 0), (2, 4)),
        ((110.25, 60, 110.5, 60.25), (40, 41), (41, 42)),
        ((0, 0, 5000, 5000), (0, 0), (3000, 4000)),
        ((1099.9, 799.9, 2000, 2000), (2999, 3999), (3000, 4000)),
    ],
)
def test_a_window_is_the_pixels_that_it_touches(region_um, start, stop):
    assert window_of(_header(), region_um, where="row 2") == Region((0, *start), (1, *stop))


def test_a_window_of_a_turned_or_mirrored_image():
    mirrored = _header((1, 1, 100, 200), Affine(-0.5, 0.0, 100.0, 0.0, 0.5, 0.0))
    assert window_of(mirrored, (90, 0, 100, 5), where="") == Region((0, 0, 0), (1, 10, 20))
    turned = _header((1, 1, 100, 200), Affine(0.0, -1.0, 100.0, 1.0, 0.0, 0.0))
    assert window_of(turned, (70, 10, 80, 15), where="") == Region((0, 20, 10), (1, 30, 15))


@pytest.mark.parametrize("region_um", [(0, 0, 100, 50), (1100, 50, 1200, 60), (100, 800, 200, 900)])
def test_a_window_beside_the_image_is_refused(region_um):
    with pytest.raises(UserError) as caught:
        window_of(_header(), region_um, where="samples.tsv, row 2")
    line = str(caught.value)
    assert line.startswith("image.region_um: ")
    assert "x 100 to 1100 and y 50 to 800 um" in line
    assert "samples.tsv, row 2" in line


def test_all_after_the_import_sees_the_window_only():
    settings = _settings()
    settings["image"]["region_um"] = [110, 60, 210, 110]
    sample = _plan(settings).samples["a"]
    assert sample.window.shape == (1, 200, 400)
    assert sample.grid.shape == (1, 200, 400)
    x, y = sample.window_affine.to_um(np.array([0.0]), np.array([0.0]))
    assert (x[0], y[0]) == (110, 60)
    assert sample.spacing_um == (1.0, 0.25, 0.25)


def test_a_larger_image_needs_more(tmp_path):
    small, large = _plan().rules, _plan(header=_header((2, 1, 60_000, 60_000))).rules
    for rule in ("import_image", "segment_pack", "quantify_pack"):
        assert large[rule].core_hours > small[rule].core_hours
        assert large[rule].files > small[rule].files
        assert large[rule].memory_mb >= small[rule].memory_mb
    assert all(prediction.minutes >= 1 for prediction in small.values())


def test_memory_of_a_worker_does_not_grow_with_the_image():
    rules = [_plan(header=_header((2, 1, n, n))).rules for n in (8_000, 30_000)]
    assert rules[0]["segment_pack"].memory_mb == rules[1]["segment_pack"].memory_mb


@pytest.mark.parametrize(
    "wrong",
    [
        {"cores": 0},
        {"cpus_per_core": 0},
        {"unknown": ("walltime",)},
        {"unknown": ("max_minutes",), "max_minutes": 60},
    ],
)
def test_a_machine_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="unknown|core"):
        Machine(**wrong)


def test_a_run_without_samples_needs_no_jobs():
    rules = predict({}, _settings(), Machine())
    assert rules["segment_pack"].jobs == 0
    assert isinstance(RunPlan.model_validate(_plan().model_dump()), RunPlan)
