"""The generated tissue: a window equals the whole, and it is what its description says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tissue import N_CHANNELS, N_GENES, GeneratedTissue

from isthmus.blocks.grid import Region

SIDE = 256
GOLDEN = [4205258, 2189925, 3123263, 4017299, 9863964990]


@pytest.mark.parametrize("is_volume", [False, True])
def test_a_window_equals_the_whole(is_volume):
    depth = 24 if is_volume else 1
    tissue = GeneratedTissue(7, is_volume)
    far = 123_456  # a plane larger than memory begins there
    whole = Region((0, far, far), (depth, far + SIDE, far + SIDE))
    truth = tissue.truth(whole)
    pixels = [tissue.pixels(whole, channel) for channel in range(N_CHANNELS)]

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, SIDE - 2), st.integers(0, SIDE - 2), st.integers(0, depth - 1), st.data())
    def check(y, x, z, data):
        stop = [data.draw(st.integers(a + 1, n)) for a, n in ((z, depth), (y, SIDE), (x, SIDE))]
        window = Region((z, far + y, far + x), (stop[0], far + stop[1], far + stop[2]))
        assert np.array_equal(tissue.truth(window), truth[window.within(whole)])
        for channel in range(N_CHANNELS):
            assert np.array_equal(tissue.pixels(window, channel), pixels[channel][window.within(whole)])

    check()


def test_it_holds_as_many_nuclei_as_said():
    tissue = GeneratedTissue(3)
    window = Region((0, 0, 0), (1, 2048, 2048))
    ids, area = np.unique(tissue.truth(window), return_counts=True)
    assert 28_000 < 4 * (ids.size - 1) < 38_000
    assert 13 < 2 * np.sqrt(np.median(area[1:]) / np.pi) < 17


def test_nuclei_are_brighter_than_the_rest_and_markers_depend_on_the_cell():
    tissue = GeneratedTissue(4)
    window = Region((0, 0, 0), (1, 512, 512))
    truth = tissue.truth(window)
    nuclear = tissue.pixels(window, 0)
    assert nuclear[truth > 0].mean() > 2 * nuclear[truth == 0].mean()
    marker = tissue.pixels(window, 1)
    number = np.unique(truth, return_inverse=True)[1].reshape(-1)
    means = np.bincount(number, weights=marker.reshape(-1)) / np.bincount(number)
    assert np.percentile(means[1:], 90) > 2 * np.percentile(means[1:], 10)


def test_other_seeds_make_other_tissue():
    window = Region((0, 0, 0), (1, 128, 128))
    assert not np.array_equal(GeneratedTissue(1).pixels(window), GeneratedTissue(2).pixels(window))
    assert not np.array_equal(GeneratedTissue(1).truth(window), GeneratedTissue(2).truth(window))


def test_the_values_are_the_same_on_every_machine():
    tissue = GeneratedTissue(1)
    window = Region((0, 100, 100), (1, 164, 164))
    sums = [int(tissue.pixels(window, channel).sum()) for channel in range(N_CHANNELS)]
    assert [*sums, int(tissue.truth(window).sum())] == GOLDEN


def test_transcripts_of_windows_add_up():
    tissue = GeneratedTissue(5)
    whole = tissue.transcripts(Region((0, 0, 0), (1, 200, 300)), per_nucleus=10)
    halves = [
        tissue.transcripts(Region((0, a, 0), (1, b, 300)), per_nucleus=10) for a, b in ((0, 90), (90, 200))
    ]
    for name, values in whole.items():
        assert np.array_equal(np.sort(values), np.sort(np.concatenate([half[name] for half in halves])))
    assert 0 <= whole["gene"].min() <= whole["gene"].max() < N_GENES
    inner = Region((0, 0, 0), (1, 200, 300))
    y, x = np.floor(whole["y"]).astype(int), np.floor(whole["x"]).astype(int)
    inside = (y >= 0) & (x >= 0) & (y < 200) & (x < 300)
    own = tissue.truth(inner)[0, y[inside], x[inside]] == whole["cell"][inside]
    assert 0.6 < own.mean() < 0.95
