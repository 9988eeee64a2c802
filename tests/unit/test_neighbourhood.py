import numpy as np
import pandas as pd
import pytest

from isthmus.analyse.neighbourhood import enrich_neighbourhoods, neighbour_pairs
from isthmus.errors import UserError


def grid(side):
    y, x = np.mgrid[:side, :side]
    return np.column_stack([x.ravel(), y.ravel()]) * 10.0


def one_group(points):
    return np.zeros(len(points), dtype=np.int64)


def z_score(table, a, b):
    return table.set_index(["type_a", "type_b"]).loc[(a, b), "z_score"]


def checkerboard(points):
    return pd.Series(np.where(points.sum(axis=1) // 10 % 2 == 0, "even", "odd"))


def halves(points):
    return pd.Series(np.where(points[:, 0] < points[:, 0].mean(), "left", "right"))


def test_a_checkerboard_avoids_itself():
    points = grid(12)
    table = enrich_neighbourhoods(
        checkerboard(points),
        points,
        one_group(points),
        n_neighbours=4,
        max_distance_um=10.0,
        n_permutations=100,
    )
    assert z_score(table, "even", "odd") > 5
    assert z_score(table, "even", "even") < -5
    assert table.set_index(["type_a", "type_b"]).loc[("odd", "odd"), "observed"] == 0


def test_halves_seek_themselves():
    points = grid(12)
    table = enrich_neighbourhoods(halves(points), points, one_group(points), n_permutations=100)
    assert z_score(table, "left", "left") > 5
    assert z_score(table, "left", "right") < -5


def test_random_types_are_neither_enriched_nor_depleted():
    points = grid(20)
    types = pd.Series(np.random.default_rng(3).choice(["a", "b"], len(points)))
    table = enrich_neighbourhoods(types, points, one_group(points), n_permutations=200)
    assert table["z_score"].abs().max() < 3


def test_counts_equal_those_of_a_double_loop():
    rng = np.random.default_rng(1)
    points, groups = rng.uniform(0, 100, (60, 2)), np.repeat([0, 1], 30)
    types = pd.Series(rng.choice(["a", "b", "c"], 60))
    table = enrich_neighbourhoods(
        types, points, groups, n_neighbours=4, max_distance_um=20.0, n_permutations=2
    )
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    distance[groups[:, None] != groups[None]] = np.inf
    np.fill_diagonal(distance, np.inf)
    expected = dict.fromkeys([(a, b) for a in "abc" for b in "abc"], 0)
    for i in range(60):
        for j in range(i):
            near = j in np.argsort(distance[i])[:4] or i in np.argsort(distance[j])[:4]
            if near and distance[i, j] <= 20.0:
                for pair in {(types[i], types[j]), (types[j], types[i])}:
                    expected[pair] += 1
    assert table.set_index(["type_a", "type_b"])["observed"].to_dict() == expected
    assert (
        table.groupby("type_a")["observed"].sum().to_dict()
        == table.groupby("type_a")["n_pairs"].first().to_dict()
    )


def test_neighbours_lie_in_one_group_and_near_enough():
    points = np.array([[0, 0], [5, 0], [6, 0], [100, 0]], dtype=float)
    pairs = neighbour_pairs(points, np.array([0, 0, 1, 0]), max_distance_um=50.0)
    assert pairs.tolist() == [[0, 1]]


def test_cells_at_one_place_are_neighbours_and_none_is_its_own():
    pairs = neighbour_pairs(np.zeros((3, 2)), np.zeros(3, dtype=np.int64))
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_three_dimensions_work_the_same_way():
    points = np.array([[0, 0, 0], [0, 0, 9], [0, 0, 99]], dtype=float)
    assert neighbour_pairs(points, np.zeros(3, dtype=np.int64)).tolist() == [[0, 1]]


@pytest.mark.parametrize("n_cells", [0, 1, 2])
def test_hardly_any_cells_give_a_table_all_the_same(n_cells):
    points = np.arange(2.0 * n_cells).reshape(n_cells, 2)
    table = enrich_neighbourhoods(pd.Series(["a"] * n_cells), points, one_group(points), n_permutations=5)
    assert len(table) == min(n_cells, 1)
    assert (table["z_score"] == 0).all()


def test_the_same_seed_gives_the_same_table_and_another_a_different_one():
    points = grid(8)
    tables = [
        enrich_neighbourhoods(halves(points), points, one_group(points), n_permutations=20, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_types_are_shuffled_within_samples_only():
    # Each sample has one type: shuffling can change nothing, so nothing is enriched.
    points = np.concatenate([grid(5), grid(5)])
    types = pd.Series(["a"] * 25 + ["b"] * 25)
    table = enrich_neighbourhoods(types, points, np.repeat([0, 1], 25), n_permutations=20)
    assert (table["z_score"] == 0).all()


def test_a_single_shuffling_is_refused():
    with pytest.raises(UserError, match="1 shufflings have no spread"):
        enrich_neighbourhoods(
            pd.Series(["a"]), np.zeros((1, 2)), np.zeros(1, dtype=np.int64), n_permutations=1
        )
