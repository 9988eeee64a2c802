"""Many images as one sample: geometry, and that each gives exactly what it gives alone."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest
from block_store import (
    PixelsAreLandscape,
    assert_same_completed,
    empty_labels,
    quantify_job,
    run_blocks,
    store_image,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.blocks.arrays import arrays_from_bytes
from isthmus.blocks.grid import Grid, Triple
from isthmus.blocks.lookup import read_roots, write_lookup
from isthmus.blocks.stack import Stack
from isthmus.certify.compare import compare_windows, read_written
from isthmus.certify.uncut import UncutJob
from isthmus.image.ome_zarr import Level
from isthmus.quantify.many import ManyQuantifyJob, quantify_block_of_many
from isthmus.quantify.measure import Measures
from isthmus.segment.block import LOCAL_DTYPE, SegmentJob
from isthmus.segment.many import ManySegmentJob, segment_block_of_many
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import Lookup, label_dtype, stitch
from isthmus.tables.complete import complete_cells
from isthmus.tables.merge import CellSums, merge_sums

METHOD = PixelsAreLandscape(above=300)
MEASURES = Measures((50.0, 90.0), texture=True)
MIN_AREA_PX = 3

Shapes = st.lists(st.tuples(st.just(1), st.integers(1, 23), st.integers(1, 23)), min_size=1, max_size=4)
Edges = st.sampled_from([4, 8, 16, 64])


@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6
    ),
    block=st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5)),
)
def test_every_block_is_one_of_its_image(shapes: list[Triple], block: Triple) -> None:
    stack = Stack.of(shapes, block)
    assert stack.n_images == len(shapes)
    found = [stack.locate(index) for index in range(stack.n_blocks)]
    wanted = [
        (image, index) for image, shape in enumerate(shapes) for index in range(Grid(shape, block).n_blocks)
    ]
    assert [(place.image, place.index) for place in found] == wanted
    assert all(place.grid == Grid(shapes[place.image], block) == stack.grid(place.image) for place in found)
    sizes = [int(np.prod(shape)) for shape in shapes]
    assert stack.first_pixels() == [0, *np.cumsum(sizes).tolist()]
    assert stack.n_pixels == sum(sizes)
    for image in range(len(shapes)):
        assert stack.first_pixel(image) == sum(sizes[:image])
        assert stack.locate(stack.first_block(image)).image == image
        assert stack.locate(stack.first_block(image)).index == 0
    assert stack.images_of([0, stack.n_blocks - 1]) == sorted({0, len(shapes) - 1})


def test_a_block_beyond_the_last_and_no_images_are_refused() -> None:
    stack = Stack.of([(1, 5, 5)], (1, 4, 4))
    for wrong in (-1, 4):
        with pytest.raises(IndexError):
            stack.locate(wrong)
    with pytest.raises(IndexError):
        stack.grid(1)
    with pytest.raises(ValueError, match="must be an image"):
        Stack.of([], (1, 4, 4))


def _images(shapes: list[Triple], seed: int) -> list[npt.NDArray[np.uint16]]:
    """Two channels of noise in lumps, so that instances cross blocks and touch edges."""
    random = np.random.default_rng(seed)
    made = []
    for shape in shapes:
        pixels = random.integers(0, 900, (2, *shape)).astype(np.uint16)
        made.append(np.where(random.random((2, *shape)) < 0.6, pixels, pixels // 4).astype(np.uint16))
    return made


class Many:
    """Both passes over several images at once, as the jobs do it."""

    def __init__(
        self, folder: Path, images: list[npt.NDArray[np.uint16]], block: Triple, expand_um: float
    ) -> None:
        shapes: list[Triple] = [image.shape[1:] for image in images]  # type: ignore[misc]
        self.stack, self.folder = Stack.of(shapes, block), folder
        self.paths = tuple(f"A/1/{number}" for number in range(len(images)))
        for number, image in enumerate(images):
            store_image(folder / "store" / self.paths[number] / "0", image)
            empty_labels(folder / "local" / str(number), self.stack.grid(number), LOCAL_DTYPE)
        one = SegmentJob(folder / "store", folder / "local", self.stack.grid(0), METHOD)
        self.segment = ManySegmentJob(one, self.stack, self.paths)
        blocks = {
            index: BlockRecord.from_bytes(segment_block_of_many(self.segment, index).record)
            for index in range(self.stack.n_blocks)
        }
        self.lookup: Lookup = stitch(blocks, self.stack, min_area_px=MIN_AREA_PX)
        write_lookup(folder / "lookup", self.lookup.ids, self.lookup.offsets, self.lookup.roots)
        for number in range(len(images)):
            for name in ("nuclei", "cells"):
                path = folder / "store" / self.paths[number] / "labels" / name / "0"
                empty_labels(path, self.stack.grid(number), label_dtype(self.lookup.max_id))
        job = quantify_job(
            folder,
            self.stack.grid(0),
            image=folder / "store",
            channels=(0, 1),
            expand_um=expand_um,
            measures=MEASURES,
        )
        self.quantify = ManyQuantifyJob(job, self.stack, self.paths)
        records = [
            arrays_from_bytes(quantify_block_of_many(self.quantify, index).record)
            for index in range(self.stack.n_blocks)
        ]
        self.sums = merge_sums(records)
        self.completed = complete_cells(records, self.sums.ids, MEASURES)

    def labels(self, image: int, name: str) -> npt.NDArray[np.int64]:
        grid = self.stack.grid(image)
        path = self.folder / "store" / self.paths[image] / "labels" / name / "0"
        return read_written(
            path, grid.block(0).write.grown(grid.shape, grid.shape), is_volume=grid.shape[0] > 1
        )


def _part(sums: CellSums, ids: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.generic]]:
    names = ("shape", "bounds", "intensity", "extremes", "border", "pairs")
    return {name: getattr(sums, name)[ids] for name in names}


@settings(max_examples=15, deadline=None)
@given(shapes=Shapes, edge=Edges, seed=st.integers(0, 99), expand_um=st.sampled_from([0.0, 2.0]))
def test_each_image_gives_what_it_gives_alone(
    shapes: list[Triple], edge: int, seed: int, expand_um: float
) -> None:
    images = _images(shapes, seed)
    with TemporaryDirectory() as folder:
        many = Many(Path(folder) / "many", images, (1, edge, edge), expand_um)
        before = 0
        for number, image in enumerate(images):
            alone = run_blocks(
                Path(folder) / str(number),
                image,
                (1, 64, 64),
                method=METHOD,
                min_area_px=MIN_AREA_PX,
                expand_um=expand_um,
                measures=MEASURES,
            )
            n = alone.lookup.n_instances
            for name in ("nuclei", "cells"):
                wanted = getattr(alone, name)
                assert np.array_equal(many.labels(number, name), np.where(wanted > 0, wanted + before, 0)), (
                    name
                )
            mine = (many.sums.ids > before) & (many.sums.ids <= before + n)
            assert np.array_equal(many.sums.ids[mine] - before, alone.sums.ids)
            wanted_sums = _part(alone.sums, np.ones(n, dtype=bool))
            for name, values in _part(many.sums, mine).items():
                assert np.array_equal(values, wanted_sums[name]), name
            assert np.array_equal(many.sums.flags[mine, 1], alone.sums.flags[:, 1]), (
                "edges are the image's own"
            )
            for name in ("ranks", "entropy", "convex"):
                assert np.array_equal(getattr(many.completed, name)[mine], getattr(alone.completed, name)), (
                    name
                )
            before += n
        assert many.lookup.n_instances == before


def test_windows_of_any_image_are_certified(tmp_path: Path) -> None:
    shapes: list[Triple] = [(1, 40, 30), (1, 30, 40)]
    many = Many(tmp_path, _images(shapes, 5), (1, 16, 16), 2.0)
    for image in (0, 1):
        job = UncutJob(
            many.segment.of(image), many.quantify.of(image), MIN_AREA_PX, many.stack.first_pixel(image)
        )
        whole = many.stack.grid(image).block(0).write.grown((0, 99, 99), shapes[image])
        (result,), skipped = compare_windows(job, [whole])
        assert not skipped
        assert result.n_cells > 3
        assert result.differing_pixels == 0
    first = int(np.searchsorted(read_roots(tmp_path / "lookup"), many.stack.first_pixel(1)))
    assert many.labels(0, "cells").max() == first
    assert many.labels(1, "cells")[many.labels(1, "cells") > 0].min() == first + 1


def test_a_change_in_one_image_is_seen_in_its_window_alone(tmp_path: Path) -> None:
    shapes: list[Triple] = [(1, 40, 30), (1, 30, 40)]
    many = Many(tmp_path, _images(shapes, 5), (1, 64, 64), 0.0)
    labels = tmp_path / "store" / many.paths[1] / "labels" / "cells" / "0"
    grid = many.stack.grid(1)
    level = Level.open(labels, is_volume=False, has_channels=False, mode="r+")
    whole = grid.block(0).write
    level.write(whole, np.where(level.read(whole) > 0, 1, 0).astype(level.array.dtype))
    jobs = [
        UncutJob(many.segment.of(k), many.quantify.of(k), MIN_AREA_PX, many.stack.first_pixel(k))
        for k in (0, 1)
    ]
    found = [compare_windows(job, [many.stack.grid(k).block(0).write])[0][0] for k, job in enumerate(jobs)]
    assert found[0].differing_pixels == 0
    assert found[1].differing_cells > 0


def test_the_same_in_any_blocks(tmp_path: Path) -> None:
    images = _images([(1, 50, 37), (1, 20, 61), (1, 50, 37)], 8)
    one, other = (Many(tmp_path / str(edge), images, (1, edge, edge), 2.0) for edge in (8, 64))
    assert np.array_equal(one.lookup.roots, other.lookup.roots)
    for image in range(3):
        for name in ("nuclei", "cells"):
            assert np.array_equal(one.labels(image, name), other.labels(image, name))
    assert_same_completed(one.completed, other.completed)
