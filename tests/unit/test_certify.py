"""The certificate: right labels pass, and every fault put in on purpose is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from block_store import Finished, PixelsAreLandscape, run_blocks
from synthetic import Tissue
from tiny_basins import tiny_parameters

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.blocks.lookup import write_lookup
from isthmus.certify import uncut
from isthmus.certify.compare import SkippedWindow, compare_windows
from isthmus.certify.uncut import TooLargeError, UncutJob, uncut_window
from isthmus.certify.windows import choose_windows
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.source import ImageHeader, ImagePart, Window
from isthmus.segment.basins import BasinsMethod
from isthmus.segment.basins_parameters import halo_px
from isthmus.segment.block import ImportJob
from isthmus.segment.filters import box_mean
from isthmus.segment.method import Landscape, Pixels

SHAPE = (300, 340)
GRID = Grid((1, *SHAPE), (1, 128, 128))


@dataclass(frozen=True)
class InMemory:
    """Pixels (z, y, x) as a reader gives them."""

    pixels: np.ndarray

    def read(self, channel: int, window: Window) -> np.ndarray:
        return self.pixels[window]


def everywhere(window: Region) -> bool:
    return True


@dataclass(frozen=True)
class MeanMethod:
    """Bright pixels, as high as the mean of a box: each looks as far as declared, or `missing` pixels farther."""

    missing: int = 0
    reach: int = 6
    channel: int = 0
    merge_radius_px: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lattice_px: Triple = (1, 1, 1)

    @property
    def halo_px(self) -> Triple:
        reach = self.reach + 1 - self.missing
        return (0, reach, reach)

    def landscape(self, pixels: Pixels) -> Landscape:
        mean = box_mean(pixels, (0, self.reach, self.reach))
        return np.where(pixels > 64_000, mean | 1, 0).astype(np.uint16)


def noise(shape: tuple[int, int] = SHAPE, seed: int = 1) -> np.ndarray:
    """Every pixel its own: whoever looks at one pixel too few sees another image."""
    return np.random.default_rng(seed).integers(0, 65_536, (1, 1, *shape)).astype(np.uint16)


def job_of(done: Finished, min_area_px: int = 1) -> UncutJob:
    return UncutJob(done.segment, done.quantify, min_area_px)


def differing(done: Finished, windows: list[Region] | None = None, min_area_px: int = 1) -> int:
    job = job_of(done, min_area_px)
    chosen = windows or choose_windows(done.segment.grid, n=6, seed=3, blocks=(), holds=everywhere)
    results, skipped = compare_windows(job, chosen)
    assert skipped == []
    return sum(result.differing_pixels for result in results)


WHOLE = [Region((0, 0, 0), (1, *SHAPE))]


@pytest.mark.parametrize("expand_um", [0.0, 3.0])
@pytest.mark.parametrize("min_area_px", [1, 12])
def test_right_labels_pass_everywhere(tmp_path: Path, expand_um: float, min_area_px: int) -> None:
    done = run_blocks(
        tmp_path,
        Tissue(seed=3).image(SHAPE),
        (1, 128, 128),
        method=PixelsAreLandscape(above=260),
        expand_um=expand_um,
        min_area_px=min_area_px,
    )
    assert done.lookup.n_instances > 20
    assert differing(done, WHOLE, min_area_px) == 0
    for start in ((0, 100, 90), (0, 250, 0), (0, 0, 250), (0, 127, 127)):
        stop = (1, min(300, start[1] + 64), min(340, start[2] + 33))
        assert differing(done, [Region(start, stop)], min_area_px) == 0


def test_imported_labels_are_compared_with_what_was_imported(tmp_path: Path, tissue: Finished) -> None:
    """Ids that are no ranks, and a window of a larger label image."""
    nuclei = 7 * tissue.nuclei.astype(np.uint32)
    beyond = np.pad(nuclei, ((0, 0), (3, 0), (5, 2)), constant_values=9)
    header = ImageHeader((1, *beyond.shape), "uint32", ("labels",), Affine.from_size(1.0))
    labels = ImagePart(header, partial(InMemory, beyond), ())
    imported = ImportJob(labels, Region((0, 3, 5), (1, 303, 345)), Path("none"), GRID)
    quantify = replace(tissue.quantify, nuclei=tmp_path / "n", cells=tmp_path / "c", lookup=Path("none"))
    for path, ids in ((quantify.nuclei, nuclei), (quantify.cells, 7 * tissue.cells)):
        level = create_level(
            path, shape=GRID.shape, dtype=np.dtype("uint32"), chunk=GRID.block_px, shard=GRID.block_px
        )
        level.array[:] = ids[0]
    job = UncutJob(imported, quantify, 1)
    results, _ = compare_windows(job, WHOLE)
    assert (results[0].differing_pixels, results[0].n_cells) == (0, tissue.lookup.n_instances)
    level.array[:] = np.where(tissue.cells[0] == 4, 29, 7 * tissue.cells[0])
    results, _ = compare_windows(job, WHOLE)
    assert results[0].differing_cells == np.count_nonzero(tissue.cells == 4)


def test_noise_in_blocks_passes_with_the_halo_that_is_needed(tmp_path: Path) -> None:
    done = run_blocks(tmp_path, noise(), (1, 128, 128), method=MeanMethod())
    assert done.lookup.n_instances > 50
    assert differing(done) == 0


@pytest.mark.parametrize(("reach", "seed"), [(3, 1), (6, 2), (6, 3)])
def test_a_halo_one_pixel_too_small_is_seen(tmp_path: Path, reach: int, seed: int) -> None:
    """Seeds for which neighbours do not contradict each other: where they do, stitching refuses already."""
    for missing in (0, 1):
        method = MeanMethod(missing=missing, reach=reach)
        done = run_blocks(tmp_path / str(missing), noise(seed=seed), (1, 128, 128), method=method)
        assert (differing(done) > 0) is (missing == 1)


@dataclass(frozen=True)
class ShortBasins(BasinsMethod):
    """`basins` with a halo that is `missing` pixels too small."""

    missing: int = 0

    @property
    def halo_px(self) -> Triple:
        z, y, x = halo_px(self.parameters)
        return z, y - self.missing, x - self.missing


@pytest.mark.parametrize(("necks_px", "seed", "missing"), [(0, 3, 1), (0, 4, 1), (2, 1, 5), (2, 4, 5)])
def test_a_halo_of_basins_that_is_too_small_is_seen(
    tmp_path: Path, necks_px: int, seed: int, missing: int
) -> None:
    """Seeds as above. That a pixel at the far end of the search for necks matters is too rare for small images."""
    pixels = np.random.default_rng(seed).integers(0, 1200, (1, 1, *SHAPE)).astype(np.uint16)
    parameters = replace(tiny_parameters(is_volume=False), neck_px=(0, necks_px, necks_px))
    for fault in (0, missing):
        method = ShortBasins(0, parameters, fault)
        done = run_blocks(tmp_path / str(fault), pixels, (1, 64, 64), method=method)
        assert done.lookup.n_instances > 50
        assert (differing(done, WHOLE) > 0) is (fault > 0)


def test_a_volume_passes_and_its_faults_are_seen(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    pixels = random.integers(0, 900, (1, 20, 40, 44)).astype(np.uint16)
    pixels[0][random.random(pixels.shape[1:]) < 0.6] = 0
    method = PixelsAreLandscape(merge_radius_px=(1.0, 2.0, 2.0), is_volume=True)
    done = run_blocks(tmp_path, pixels, (8, 16, 32), method=method, min_area_px=2)
    windows = choose_windows(done.segment.grid, n=5, seed=9, blocks=(), holds=everywhere)
    assert windows
    assert differing(done, windows, 2) == 0
    assert differing(done, windows, 3) > 0


def _level(path: Path) -> tuple[Level, np.ndarray]:
    level = Level.open(path, is_volume=False, has_channels=False, mode="r+")
    return level, level.read(Region((0, 0, 0), (1, *SHAPE)))


@pytest.fixture
def tissue(tmp_path: Path) -> Finished:
    return run_blocks(
        tmp_path, Tissue(seed=3).image(SHAPE), (1, 128, 128), method=PixelsAreLandscape(above=260)
    )


@pytest.mark.parametrize("name", ["nuclei", "cells"])
def test_two_ids_swapped_are_seen(tissue: Finished, name: str) -> None:
    path = getattr(tissue.quantify, name)
    level, labels = _level(path)
    one, other = np.unique(labels)[[3, 4]]
    swapped = np.where(labels == one, other, np.where(labels == other, one, labels))
    level.array[:] = swapped[0]
    assert differing(tissue, WHOLE) == np.count_nonzero(np.isin(labels, [one, other]))


def test_an_id_that_no_instance_has_is_seen(tissue: Finished) -> None:
    level, labels = _level(tissue.quantify.cells)
    largest = labels.max()
    level.array[:] = np.where(labels == largest, largest + 1, labels)[0]
    assert differing(tissue, WHOLE) == np.count_nonzero(labels == largest)


@pytest.mark.parametrize("name", ["nuclei", "cells"])
def test_a_shard_shifted_by_a_pixel_is_seen(tissue: Finished, name: str) -> None:
    level, labels = _level(getattr(tissue.quantify, name))
    part = GRID.block(1).write.slices
    labels[part] = np.roll(labels[part], 1, axis=2)
    level.array[:] = labels[0]
    assert differing(tissue) > 0


def test_ids_out_of_order_are_seen(tissue: Finished) -> None:
    roots = tissue.lookup.roots.copy()
    roots[[0, 1]] = roots[[1, 0]]
    write_lookup(tissue.quantify.lookup, tissue.lookup.ids, tissue.lookup.offsets, roots)
    assert differing(tissue, WHOLE) > 0


def test_a_single_pixel_counts_as_one(tissue: Finished) -> None:
    level, labels = _level(tissue.quantify.cells)
    at = np.argwhere(labels == 0)[0]
    labels[tuple(at)] = 1
    level.array[:] = labels[0]
    results, _ = compare_windows(job_of(tissue), WHOLE)
    assert (results[0].differing_pixels, results[0].differing_nuclei, results[0].differing_cells) == (1, 0, 1)


def test_an_instance_larger_than_every_region_is_followed(tmp_path: Path) -> None:
    """One ramp over the image: from anywhere the path leads to the last pixel."""
    ramp = (1 + np.arange(300 * 340) // 4).astype(np.uint16).reshape(1, 1, *SHAPE)
    method = PixelsAreLandscape(merge_radius_px=(0.0, 1.0, 1.0))
    done = run_blocks(tmp_path, ramp, (1, 128, 128), method=method)
    assert done.lookup.n_instances == 1
    assert differing(done, [Region((0, 0, 0), (1, 20, 20))]) == 0


def test_what_cannot_be_computed_in_one_piece_is_told(
    tissue: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Just as much as the first read of a pixel: 32 to follow paths and twice the halo.
    side = 1 + 2 * (2 + 32 + 2 * tissue.segment.method.halo_px[1])
    monkeypatch.setattr(uncut, "largest_window_read_px", lambda *, is_volume: side * side)
    with pytest.raises(TooLargeError, match="read_too_large"):
        uncut_window(job_of(tissue), WHOLE[0])
    assert compare_windows(job_of(tissue), WHOLE) == ([], [SkippedWindow(WHOLE[0], "read_too_large")])
    dark = np.argwhere(tissue.cells[0, 100:200, 100:200] == 0)[0] + 100
    small = Region((0, int(dark[0]), int(dark[1])), (1, int(dark[0]) + 1, int(dark[1]) + 1))
    results, skipped = compare_windows(job_of(tissue), [WHOLE[0], small])
    assert [result.box for result in results] == [small]
    assert skipped == [SkippedWindow(WHOLE[0], "read_too_large")]


def test_an_instance_that_is_too_large_is_another_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = (1 + np.arange(300 * 340) // 4).astype(np.uint16).reshape(1, 1, *SHAPE)
    method = PixelsAreLandscape(merge_radius_px=(0.0, 1.0, 1.0))
    done = run_blocks(tmp_path, ramp, (1, 128, 128), method=method)
    monkeypatch.setattr(uncut, "largest_window_read_px", lambda *, is_volume: 10_000)
    window = Region((0, 0, 0), (1, 20, 20))
    assert compare_windows(job_of(done), [window]) == ([], [SkippedWindow(window, "instance_too_large")])


def test_nothing_of_the_blocks_is_used(tissue: Finished) -> None:
    """Other blocks, no local labels and no tables: the uncut computation is the same."""
    job = job_of(tissue)
    other = replace(
        job,
        segment=replace(tissue.segment, grid=Grid((1, *SHAPE), (1, 1, 1)), local_labels=Path("none")),
        quantify=replace(
            tissue.quantify, grid=Grid((1, *SHAPE), (1, 7, 9)), local_labels=Path("none"), lookup=Path("none")
        ),
    )
    window = Region((0, 60, 60), (1, 180, 200))
    for one, two in zip(uncut_window(job, window), uncut_window(other, window), strict=True):
        assert np.array_equal(one, two)


def test_windows_lie_across_seams_and_in_the_image() -> None:
    grid = Grid((1, 9000, 7000), (1, 1024, 1024))
    windows = choose_windows(grid, n=20, seed=1, blocks=(), holds=everywhere)
    assert len(set(windows)) == 20
    at_crossings = 0
    for window in windows:
        assert window.shape == (1, 256, 256)
        assert all(0 <= a < b <= n for a, b, n in zip(window.start, window.stop, grid.shape, strict=True))
        crossed = [
            any(a < seam < b for seam in range(1024, n, 1024))
            for a, b, n in zip(window.start[1:], window.stop[1:], grid.shape[1:], strict=True)
        ]
        assert any(crossed)
        at_crossings += all(crossed)
    assert 8 <= at_crossings <= 14


def test_windows_follow_the_seed_and_prefer_what_holds_something() -> None:
    grid = Grid((1, 4000, 4000), (1, 256, 256))
    options = {"n": 6, "blocks": (), "holds": everywhere}
    one = choose_windows(grid, seed=5, **options)
    assert one == choose_windows(grid, seed=5, **options)
    assert one != choose_windows(grid, seed=6, **options)
    upper = choose_windows(grid, n=6, seed=5, blocks=(), holds=lambda window: window.stop[1] < 2000)
    assert all(window.stop[1] < 2000 for window in upper)
    near = choose_windows(grid, n=6, seed=5, blocks=[17], holds=everywhere)
    assert all(window.start[1] < 768 and window.start[2] < 768 for window in near)
    nothing = choose_windows(grid, n=6, seed=5, blocks=(), holds=lambda window: False)
    assert len(nothing) == 6


@pytest.mark.parametrize("shape", [(1, 256, 256), (1, 1, 1), (3, 64, 64)])
def test_without_seams_there_are_no_windows(shape: Triple) -> None:
    assert choose_windows(Grid(shape, (64, 256, 256)), n=8, seed=0, blocks=(), holds=everywhere) == []
    assert choose_windows(Grid((1, 600, 600), (1, 256, 256)), n=0, seed=0, blocks=(), holds=everywhere) == []


@pytest.mark.parametrize("shape", [(1, 1, 700), (1, 700, 1), (200, 30, 30)])
def test_windows_of_narrow_images_are_cut(shape: Triple) -> None:
    windows = choose_windows(Grid(shape, (64, 256, 256)), n=8, seed=0, blocks=(), holds=everywhere)
    assert windows
    for window in windows:
        assert all(0 <= a < b <= n for a, b, n in zip(window.start, window.stop, shape, strict=True))
