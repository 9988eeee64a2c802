import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isthmus.blocks.grid import Region
from isthmus.report import text
from isthmus.report.charts import Threshold, heat_map, histogram
from isthmus.report.colours import PALETTE, UNASSIGNED_COLOUR, colours_of, diverging
from isthmus.report.pixels import edges_of, outline_path, painted, picture, tone_mapped
from isthmus.report.windows import choose_windows


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (0.05, "0.05"),
        (1.5, "1.5"),
        (62.5, "62.5"),
        (170, "170"),
        (1234.6, "1,235"),
        (0.001234, "0.00123"),
    ],
)
def test_numbers_keep_three_digits(value, told):
    assert text.number(value) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.05, "0.05 s"), (45.85, "45.9 s"), (245, "4 min 05 s"), (11_520, "3 h 12 min")]
)
def test_durations(seconds, told):
    assert text.duration(seconds) == told


@given(st.floats(1e-3, 1e6))
def test_scale_bars_are_round_and_fit(room):
    length = text.nice_length(room)
    assert room / 2.5 * 0.999 <= length <= room * 1.001
    assert f"{length:.0e}"[0] in "125"


def test_colours_belong_to_the_list_of_types_not_to_how_many_there_are():
    colours = colours_of(["B", "T", "unassigned", "Z"])
    assert [colours[name] for name in ("B", "T", "Z")] == list(PALETTE[:3])
    assert colours["unassigned"] == UNASSIGNED_COLOUR
    assert len(set(PALETTE)) == 24


def test_a_diverging_scale_is_white_in_the_middle_and_ends_at_the_limit():
    assert diverging(0, 5) == "#ffffff"
    assert diverging(50, 5) == diverging(5, 5) != diverging(-5, 5)


def test_windows_differ_in_density_do_not_overlap_and_never_change():
    rng = np.random.default_rng(1)
    centres = np.column_stack([2000 * rng.random(3000) ** 2, 1500 * rng.random(3000)])
    windows = choose_windows((1, 1500, 2000), centres, 0.25)
    assert [w.rank for w in windows] == ["dense", "typical", "sparse"]
    assert windows[0].n_cells > windows[1].n_cells > windows[2].n_cells > 0
    for i, window in enumerate(windows):
        assert window.region.shape == (1, 320, 320)
        assert all(window.region.intersection(other.region) is None for other in windows[i + 1 :])
        (z0, y0, x0), (_, y1, x1) = window.region.start, window.region.stop
        inside = (centres >= (x0, y0)).all(1) & (centres < (x1, y1)).all(1)
        assert (z0, int(inside.sum())) == (0, window.n_cells)
    assert windows == choose_windows((1, 1500, 2000), centres, 0.25)


@pytest.mark.parametrize("shape", [(1, 100, 90), (7, 256, 256)])
def test_an_image_no_larger_than_a_window_is_shown_whole(shape):
    (window,) = choose_windows(shape, np.empty((0, 2)), 0.25)
    middle = shape[0] // 2
    assert window.rank == "whole"
    assert window.region == Region((middle, 0, 0), (middle + 1, *shape[1:]))


def test_an_image_without_cells_still_has_a_window():
    assert len(choose_windows((1, 2000, 2000), np.empty((0, 2)), 0.25)) == 1


def test_outlines_follow_pixel_edges_and_shared_ones_are_drawn_once():
    labels = np.zeros((5, 6), np.uint16)
    labels[1:3, 1:3], labels[1:3, 3:5] = 1, 2
    assert outline_path(labels) == "M1 1h4M1 3h4M1 1v2M3 1v2M5 1v2"


def test_the_window_border_is_no_outline():
    assert outline_path(np.ones((4, 4), np.uint16)) == ""
    assert outline_path(np.zeros((4, 4), np.uint16)) == ""


def test_edges_lie_inside_the_instances():
    labels = np.zeros((5, 5), np.uint16)
    labels[1:4, 1:4] = 7
    edge = edges_of(labels)
    assert edge.sum() == 8
    assert not edge[2, 2]


def test_tone_mapping_keeps_order_and_clips():
    values = tone_mapped(np.array([[0, 10, 20, 500]]), 10, 100)
    assert values[0, 0] == values[0, 1] == 0
    assert 0 < values[0, 2] < values[0, 3] == 1


def test_pictures_of_nothing_but_noise_are_written():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert picture(noise).startswith("data:image/jpeg;base64,")


def test_painted_pictures_are_transparent_where_nothing_is():
    address = painted(np.array([[0, 1, 2]]), ["#ff0000", "#00ff00"])
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    assert [image.getpixel((x, 0)) for x in range(3)] == [(0, 0, 0, 0), (255, 0, 0, 255), (0, 255, 0, 255)]


def test_a_threshold_near_the_data_is_drawn_and_a_far_one_is_not():
    bins = {"edges": [10.0, 20.0, 30.0], "before": [3, 4], "after": [3, 2]}
    near = histogram("genes", **bins, thresholds=[Threshold("at least", 5.0)])
    far = histogram("genes", **bins, thresholds=[Threshold("at least", 5000.0)])
    assert "at least 5<" in near
    assert "at least" not in far


def test_names_in_charts_are_escaped():
    assert "<b>" not in heat_map(["<b>"], {("<b>", "<b>"): 1.0}, {("<b>", "<b>"): "<b>"}, limit=3)
