"""Images of many files: few of them are open at a time; pictures that can only be decoded whole."""

from __future__ import annotations

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest
import tifffile
from PIL import Image
from planned import SLIDE, plan_of

from isthmus.errors import UserError
from isthmus.image import opened, picture
from isthmus.image.mosaic import Mosaic, Tile
from isthmus.image.open import open_image
from isthmus.image.opened import Opened
from isthmus.image.plane_files import PlaneFiles
from isthmus.image.source import Window
from isthmus.plan.machine import Machine

SIDE, N = 16, 80
WHOLE: Window = (slice(0, 1), slice(0, SIDE), slice(0, SIDE * N))


class Named:
    """A source that is nothing but its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        raise NotImplementedError


def test_what_was_used_longest_ago_is_given_up() -> None:
    made: list[str] = []

    def opener(name: str) -> Named:
        made.append(name)
        return Named(name)

    sources = Opened[str](2)
    for name in "abacab":
        source = sources.get(name, lambda name=name: opener(name))  # type: ignore[misc]
        assert isinstance(source, Named)
        assert source.name == name
    assert "".join(made) == "abcb"  # a was used between b and c, so b went


@pytest.fixture
def tiles(tmp_path: Path) -> list[Path]:
    """Compressed tiles, whose files stay open while they are read."""
    files = [tmp_path / f"{number:02}.tif" for number in range(N)]
    for number, file in enumerate(files):
        tifffile.imwrite(file, np.full((SIDE, SIDE), number + 1, np.uint16), compression="zlib")
    return files


def _n_open() -> int:
    return len(psutil.Process().open_files())


def test_a_mosaic_has_few_tiles_open(tiles: list[Path]) -> None:
    opens = [open_image(file).open for file in tiles]
    mosaic = Mosaic(
        [Tile(each, 0, SIDE * number) for number, each in enumerate(opens)],
        (SIDE, SIDE),
        (False, False),
        "uint16",
    )
    before = _n_open()
    pixels = mosaic.read(0, WHOLE)
    assert _n_open() - before <= opened.MOST_OPEN < N
    np.testing.assert_array_equal(pixels[0, 0], np.repeat(np.arange(1, N + 1), SIDE))
    np.testing.assert_array_equal(mosaic.read(0, WHOLE), pixels)


def test_planes_have_few_files_open(tiles: list[Path]) -> None:
    planes = PlaneFiles((tuple(open_image(file).open for file in tiles),))
    before = _n_open()
    pixels = planes.read(0, (slice(0, N), slice(3, 5), slice(2, 4)))
    assert _n_open() - before <= opened.MOST_OPEN
    np.testing.assert_array_equal(pixels[:, 1, 1], np.arange(1, N + 1))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_windows_of_a_picture_are_those_of_the_whole(tmp_path: Path, mode: str, suffix: str) -> None:
    if suffix == "jpg" and mode not in ("RGB", "L"):
        pytest.skip("JPEG has no such pictures")
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (50, 70, 3)).astype(np.uint8)).convert(mode).save(
        tmp_path / f"a.{suffix}"
    )
    image = open_image(tmp_path / f"a.{suffix}")
    assert (image.shape, image.dtype) == ((3, 1, 50, 70), "uint8")
    with Image.open(tmp_path / f"a.{suffix}") as found:
        whole = np.asarray(found.convert("RGB"))
    for channel in range(3):
        part = image.open().read(channel, (slice(0, 1), slice(11, 33), slice(40, 70)))
        np.testing.assert_array_equal(part, whole[np.newaxis, 11:33, 40:70, channel])


def test_a_picture_is_decoded_once_and_its_memory_is_bounded(tmp_path: Path) -> None:
    """16 million pixels: four bytes each, whatever is read of it."""
    Image.new("RGB", (4000, 4000), (1, 2, 3)).save(tmp_path / "a.png")
    # in a process of its own: this one may have room left from what it has done before
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        n_decoded, held_mb = alone.submit(_read_picture, tmp_path / "a.png").result()
    assert n_decoded == 1
    assert (
        0.7 * open_image(tmp_path / "a.png").held_mb < held_mb < 1.4 * open_image(tmp_path / "a.png").held_mb
    )


def _read_picture(path: Path) -> tuple[int, float]:
    """Read parts of all channels: how many pictures are held then, and the MB that this has taken."""
    source = open_image(path).open()
    before = psutil.Process().memory_info().rss
    for row in range(0, 4000, 1000):
        for channel in range(3):
            pixels = source.read(channel, (slice(0, 1), slice(row, row + 10), slice(0, 1000)))
            assert (pixels == channel + 1).all()
    held = psutil.Process().memory_info().rss - before
    return picture._decoded.cache_info().currsize, held / (1 << 20)


def test_a_picture_too_large_to_be_held_is_refused(tmp_path: Path) -> None:
    Image.new("L", (8000, 4001)).save(tmp_path / "a.png")
    told = "a PNG of 8000 x 4001 pixels, which can only be decoded whole; save it as tiled TIFF; 32 million pixels"
    with pytest.raises(UserError, match=re.escape(told)):
        open_image(tmp_path / "a.png")


def test_what_a_format_makes_workers_hold_is_in_the_plan() -> None:
    plain, held = plan_of(SLIDE), plan_of(replace(SLIDE, held_mb=1000.0))
    rule = "import_image"
    assert held.rules[rule].worker_mb - plain.rules[rule].worker_mb == pytest.approx(1000, abs=1)
    more = held.rules[rule].memory_mb - plain.rules[rule].memory_mb
    assert more == pytest.approx(1000 * plain.rules[rule].workers, abs=2)
    assert held.rules["segment_pack"] == plain.rules["segment_pack"]
    small = Machine(cores=16, memory_mb=8000, billed_cores=16)
    with_less = plan_of(replace(SLIDE, held_mb=1000.0), machine=small).rules[rule]
    assert with_less.workers < plan_of(SLIDE, machine=small).rules[rule].workers
    assert with_less.memory_mb <= 8000
