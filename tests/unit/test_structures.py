"""Distances of cells to structures that the user has drawn, against brute force; and files that are none."""

from __future__ import annotations

import json
from itertools import pairwise
from math import hypot

import numpy as np
import pandas as pd
import pytest
import shapely
from analyse_cells import table_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isthmus.analyse.structures import (
    ALL_CELLS,
    add_distances,
    column_of,
    signed_distance,
    structures_of,
    summarise_structures,
)
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.readers.structures import read_structures

AFFINE = Affine(0.5, 0.0, 1000.0, 0.0, 0.5, -200.0)
"""Half a micrometre a pixel, and an origin unlike in x and y."""
SHAPE = (400, 600)
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]


def feature(kind, coordinates, **properties):
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def moved(ring, x=1100.0, y=-100.0):
    return [[a + x, b + y] for a, b in ring]


def write(folder, content, name="drawn.geojson"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def read(path, unit="um"):
    return read_structures(path, unit=unit, affine=AFFINE, shape=SHAPE, where="samples.tsv, row 2 (sample a)")


def to_piece(x, y, a, b):
    """Distance of a place to a straight piece, by hand."""
    (ax, ay), (bx, by) = a, b
    length = (bx - ax) ** 2 + (by - ay) ** 2
    t = 0.0 if length == 0 else min(1.0, max(0.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
    return hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))


def is_inside(x, y, ring):
    """Whether a ray to the right crosses a ring an odd number of times."""
    crossings = 0
    for (ax, ay), (bx, by) in pairwise(ring):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            crossings += 1
    return crossings % 2 == 1


corners = st.tuples(st.integers(-20, 20), st.integers(-20, 20))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(corners, min_size=3, max_size=7, unique=True),
    st.integers(0, 1_000_000),
    st.lists(corners, max_size=4),
)
def test_distances_are_those_of_brute_force(drawn, seed, line):
    ring = [*drawn, drawn[0]]
    area = shapely.Polygon(ring)
    assume(area.is_valid and area.area > 0)
    places = np.random.default_rng(seed).uniform(-25, 25, (20, 2))
    geometry = shapely.geometrycollections(
        [area, *([shapely.LineString(line)] if len(set(line)) > 1 else [])]
    )
    found = signed_distance(geometry, places)
    for (x, y), distance in zip(places.tolist(), found.tolist(), strict=True):
        border = min(to_piece(x, y, a, b) for a, b in pairwise(ring))
        if is_inside(x, y, ring):
            assert distance == pytest.approx(-border, abs=1e-9)
            continue
        if len(set(line)) > 1:
            border = min(border, *(to_piece(x, y, a, b) for a, b in pairwise(line)))
        assert distance == pytest.approx(border, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(corners, st.integers(0, 1_000_000), st.sampled_from([(1, 1), (-1, 1), (1, -1)]))
def test_distances_move_and_turn_with_the_structures(by, seed, sign):
    places = np.random.default_rng(seed).uniform(-5, 15, (30, 2))
    area = shapely.Polygon([(0, 0), (10, 0), (10, 4), (3, 4), (3, 9), (0, 10)])
    elsewhere = shapely.transform(area, lambda xy: xy * sign + np.array(by))
    np.testing.assert_allclose(
        signed_distance(elsewhere, places * sign + np.array(by)), signed_distance(area, places), atol=1e-9
    )


def test_areas_that_overlap_are_one_and_holes_are_outside():
    two = shapely.geometrycollections([shapely.box(0, 0, 10, 10), shapely.box(8, 0, 20, 10)])
    ring = shapely.box(0, 0, 30, 30) - shapely.box(10, 10, 20, 20)
    assert signed_distance(two, np.array([[9.0, 5.0], [25.0, 5.0], [10.0, 10.0]])).tolist() == [
        -5.0,
        5.0,
        0.0,
    ]
    assert signed_distance(ring, np.array([[15.0, 15.0], [5.0, 15.0]])).tolist() == [5.0, -5.0]


def test_a_line_has_no_inside():
    line = shapely.LineString([(0, 0), (10, 0)])
    assert signed_distance(line, np.array([[5.0, 0.0], [5.0, -3.0], [13.0, 4.0]])).tolist() == [0.0, 3.0, 5.0]


def test_columns_tell_the_class_and_the_unit():
    assert column_of("Tumour border") == "distance_to_tumour_border_um"
    assert column_of("CD31+ / vessel") == "distance_to_cd31_vessel_um"
    assert column_of("§") == "distance_to_structure_um"
    table = table_of(np.ones((3, 2)))
    add_distances(table, {"Duct": shapely.box(15, -1, 25, 1)}, where="row 2")
    assert table.obs["distance_to_duct_um"].tolist() == [5.0, -1.0, 5.0]
    assert table.uns["isthmus"]["structures"] == {"distance_to_duct_um": "Duct"}


def test_of_volumes_the_place_in_the_plane_counts():
    table = table_of(np.ones((2, 2)), spatial=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 90.0]]))
    add_distances(table, {"Duct": shapely.box(3, 4, 9, 9)}, where="row 2")
    assert table.obs["distance_to_duct_um"].tolist() == [5.0, 5.0]


@pytest.mark.parametrize("names", [("Duct", "duct!"), ("Area um2",)])
def test_classes_of_one_name_are_told_apart_or_refused(names):
    table = table_of(np.ones((2, 2)))
    table.obs["distance_to_area_um2_um"] = 0.0
    with pytest.raises(UserError, match="is there already"):
        add_distances(table, dict.fromkeys(names, shapely.box(0, 0, 1, 1)), where="row 2")


def test_a_summary_has_a_row_a_class_and_type():
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(["b", "a", "b", "a"]), "distance_to_duct_um": [-4.0, 2.0, -2.0, np.nan]}
    )
    found = summarise_structures(obs, "cell_type", {"distance_to_duct_um": "Duct"}).set_index("type")
    assert found.index.tolist() == [ALL_CELLS, "a", "b"]
    assert found["n_cells"].tolist() == [3, 1, 2]
    assert found["n_inside"].tolist() == [2, 0, 2]
    assert found.loc["b", ["lower_quartile_um", "median_um", "upper_quartile_um"]].tolist() == [
        -3.5,
        -3.0,
        -2.5,
    ]
    assert found["structure"].unique().tolist() == ["Duct"]


def test_classes_of_all_samples_are_found():
    table = table_of(np.ones((2, 2)))
    table.uns["isthmus"] = {
        "samples": {"a": {"structures": {"x": "X"}}, "b": {}, "c": {"structures": {"y": "Y"}}}
    }
    assert structures_of(table) == {"x": "X", "y": "Y"}


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}}, "Tumor"),
        ({"classification": {"names": ["Tumor", "Positive"]}}, "Tumor: Positive"),
        ({"classification": "Vessel", "name": "vessel 7"}, "Vessel"),
        ({"annotation_type": "bone"}, "bone"),
        ({"name": "duct"}, "duct"),
        ({"classification": {}, "name": " "}, "drawn"),
    ],
)
def test_the_class_is_where_programs_write_it(tmp_path, properties, name):
    path = write(tmp_path, collection(feature("Polygon", [moved(SQUARE)], **properties)))
    assert list(read(path)) == [name]


def test_micrometres_are_the_samples_and_pixels_the_images(tmp_path):
    """Fails on a flip, an offset, half a pixel, or x for y."""
    um = read(write(tmp_path, collection(feature("Polygon", [moved(SQUARE)]))))["drawn"]
    assert um.bounds == (1100, -100, 1110, -90)
    px = read(write(tmp_path, collection(feature("Polygon", [moved(SQUARE, 200, 300)]))), "px")["drawn"]
    assert px.bounds == (1100, -50, 1105, -45)
    centre = np.column_stack(AFFINE.to_um(np.array([205.5]), np.array([302.5])))
    assert signed_distance(px, centre).tolist() == [-1.25]


@pytest.mark.parametrize(
    "content",
    [
        feature("Polygon", [moved(SQUARE)]),
        [feature("Polygon", [moved(SQUARE)])],
        {"type": "MultiPolygon", "coordinates": [[moved(SQUARE)]]},
        collection(feature("Polygon", [[[x, y, 3.0] for x, y in moved(SQUARE)]])),
    ],
    ids=["feature", "list", "geometry", "with z"],
)
def test_other_forms_are_the_same(tmp_path, content):
    assert shapely.area(read(write(tmp_path, content))["drawn"]) == 100


def test_an_area_that_crosses_itself_is_mended(tmp_path):
    bow = moved([[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]])
    found = read(write(tmp_path, collection(feature("Polygon", [bow]))))["drawn"]
    assert shapely.area(found) == pytest.approx(50)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x,y\n1,2\n", "this is no GeoJSON"),
        ("", "this is no GeoJSON"),
        ("\x00\x01", "this is no GeoJSON"),
        ({"shapes": []}, "something of type None"),
        ({"type": "Topology", "objects": {}}, "of type 'Topology'"),
        (collection(), "there is nothing in it"),
        ([], "there is nothing in it"),
        (collection(feature("Point", [1100, -100])), "feature 1: its geometry is Point"),
        (collection({"type": "Feature", "geometry": None, "properties": {}}), "geometry is missing"),
        (collection(feature("Polygon", [[[1, 2], [3, 4]]])), "make no Polygon"),
        (collection(feature("Polygon", [[["a", "b"], [3, 4], [5, 6], [3, 4]]])), "make no Polygon"),
        (collection(feature("Polygon", [])), "has no coordinates"),
        (collection(feature("LineString", [[1, float("nan")], [3, 4]])), "has no coordinates"),
        (collection(feature("Polygon", [[[0, 0], [5, 5], [9, 9], [0, 0]]])), "covers nothing"),
        (collection(feature("Polygon", 7)), "make no Polygon"),
        (collection(7), "no GeoJSON"),
    ],
)
def test_what_is_no_structure_is_named(tmp_path, content, told):
    path = write(tmp_path, content)
    with pytest.raises(UserError) as caught:
        read(path)
    assert told in str(caught.value)
    assert "row 2 (sample a)" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_structures_beside_the_image_are_refused_and_pixels_are_recognised(tmp_path):
    elsewhere = write(tmp_path, collection(feature("Polygon", [moved(SQUARE, 5000, 5000)])))
    with pytest.raises(UserError, match="micrometres of the sample") as caught:
        read(elsewhere)
    assert "x 5000 to 5010" in str(caught.value)
    assert "x 1000 to 1300 and y -200 to 0" in str(caught.value)
    in_pixels = write(tmp_path, collection(feature("Polygon", [moved(SQUARE, 300, 300)])), "in_pixels.json")
    with pytest.raises(UserError, match="set analysis.spatial.structures_unit to px"):
        read(in_pixels)
    assert read(in_pixels, "px")
    with pytest.raises(UserError, match="pixels of the image"):
        read(elsewhere, "px")


def test_pixels_are_recognised_where_a_few_of_them_would_touch(tmp_path):
    """An image whose origin is 0, 0: what is drawn in its corner in pixels lies in it in micrometres too."""
    drawn = [feature("Polygon", [moved(SQUARE, x, y)]) for x, y in ((20, 20), (400, 300), (500, 350))]
    path = write(tmp_path, collection(*drawn))
    with pytest.raises(UserError, match="2 of 3 structures lie beside the image.*structures_unit to px"):
        read_structures(path, unit="um", affine=Affine.from_size(0.5), shape=SHAPE, where="row 2")
    one = write(tmp_path, collection(*drawn[:2]))
    assert read_structures(one, unit="um", affine=Affine.from_size(0.5), shape=SHAPE, where="row 2")
