"""The images of the benchmark on disk: written once, shard by shard, read by all rows.

An image is known by its name: `tissue-4096` is generated tissue of 4096 pixels a side (0.5 um), `fine-4096` shows half
of that field with pixels of 0.2125 um, `xenium` is the demo's real image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.measure import CACHE, ROOT

SEED = 1
PER_NUCLEUS = 19
WITH_TRUTH_PX = 8192
SHARD_PX, CHUNK_PX = 1024, 256
_FINE_UM = 0.2125
_XENIUM = ROOT / ".cache" / "isthmus" / "data" / "xenium_breast_small" / "morphology_mip.tif"

UInt16 = npt.NDArray[np.uint16]
Int32 = npt.NDArray[np.int32]


def folder_of(image: str) -> Path:
    """Where an image lies; another generator has other folders."""
    code = b"".join((ROOT / "tests" / f"{name}.py").read_bytes() for name in ("tissue", "tissue_kernels"))
    return CACHE / f"{image}-{hashlib.sha256(code).hexdigest()[:8]}"


def facts_of(image: str) -> dict[str, Any]:
    """shape (y, x), pixel_size_um, channels, has_truth."""
    made: dict[str, Any] = json.loads((folder_of(image) / "facts.json").read_text(encoding="utf-8"))
    return made


def prepare(scratch: Path, image: str) -> dict[str, Any]:
    """Write an image (c, y, x), its histograms, and the truth where it is known and fits memory."""
    folder, partial = folder_of(image), scratch / "image"
    if (folder / "facts.json").exists():
        return facts_of(image)
    partial.mkdir()
    kind, _, size = image.partition("-")
    facts = (
        _prepare_xenium(partial)
        if kind == "xenium"
        else _prepare_tissue(partial, int(size), fine=kind == "fine")
    )
    _write_metadata(partial / "image.ome.zarr", facts)
    (partial / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    partial.rename(folder)
    return facts


def _prepare_tissue(folder: Path, side: int, *, fine: bool) -> dict[str, Any]:
    from tissue import CHANNELS, PIXEL_SIZE_UM, GeneratedTissue

    from isthmus.blocks.grid import Region

    tissue = GeneratedTissue(SEED)
    has_truth = not fine and side <= WITH_TRUTH_PX
    truth = np.zeros((side, side) if has_truth else (0, 0), dtype=np.int32)
    ids: dict[int, int] = {}

    def pixels(channel: int, window: Region) -> UInt16:
        return _enlarged(tissue, channel, window) if fine else tissue.pixels(window, channel)

    for window in _write(folder, (side, side), len(CHANNELS), pixels):
        if has_truth:
            names, place = np.unique(tissue.truth(window)[0], return_inverse=True)
            numbers = [0 if name == 0 else ids.setdefault(int(name), len(ids) + 1) for name in names]
            truth[window.slices[1:]] = np.array(numbers, dtype=np.int32)[place].reshape(window.shape[1:])
    if has_truth:
        np.save(folder / "truth.npy", truth)
        _write_transcripts(folder / "transcripts.parquet", tissue, side)
    return {
        "shape": [side, side],
        "pixel_size_um": _FINE_UM if fine else PIXEL_SIZE_UM,
        "channels": list(CHANNELS),
        "has_truth": has_truth,
        "nuclei": len(ids),
    }


def _write_transcripts(path: Path, tissue: Any, side: int) -> None:
    """Transcripts of all nuclei in micrometres; those beyond the image's edge are left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from isthmus.blocks.grid import Region

    columns = tissue.transcripts(Region((0, 0, 0), (1, side, side)), per_nucleus=PER_NUCLEUS)
    inside = (columns["y"] >= 0) & (columns["x"] >= 0) & (columns["y"] < side) & (columns["x"] < side)
    names = pa.array([f"gene_{number}" for number in range(int(columns["gene"].max()) + 1)])
    made = {f"{axis}_um": columns[axis][inside] * tissue_pixel_um() for axis in ("x", "y")}
    gene = pa.DictionaryArray.from_arrays(pa.array(columns["gene"][inside]), names)
    pq.write_table(pa.table({**made, "gene": gene.cast(pa.string())}), path)


def tissue_pixel_um() -> float:
    """Size of the tissue's pixels."""
    from tissue import PIXEL_SIZE_UM

    return PIXEL_SIZE_UM


def _enlarged(tissue: Any, channel: int, window: Any) -> UInt16:
    """A window (z, y, x) of the tissue enlarged twofold, straight lines between its pixels."""
    from scipy.ndimage import zoom

    from isthmus.blocks.grid import Region

    _, y0, x0 = (n // 2 for n in window.start)
    _, y1, x1 = (-(-n // 2) for n in window.stop)
    small = tissue.pixels(Region((0, y0, x0), (1, y1, x1)), channel)[0]
    made: UInt16 = zoom(small, 2, order=1)[np.newaxis, : window.shape[1], : window.shape[2]]
    return made


def _prepare_xenium(folder: Path) -> dict[str, Any]:
    import tifffile

    pixels = np.squeeze(tifffile.imread(_XENIUM)).astype(np.uint16)
    for _ in _write(folder, pixels.shape, 1, lambda _, window: pixels[window.slices[1:]][np.newaxis]):
        pass
    return {
        "shape": list(pixels.shape),
        "pixel_size_um": _FINE_UM,
        "channels": ["DAPI"],
        "has_truth": False,
        "nuclei": 0,
    }


def _write(folder: Path, shape: tuple[int, int], n_channels: int, pixels: Any) -> Iterator[Any]:
    """Write all shards and the histograms; yields each window."""
    from isthmus.blocks.grid import Grid
    from isthmus.image.ome_zarr import create_level

    grid = Grid((1, *shape), (1, SHARD_PX, SHARD_PX))
    level = create_level(
        folder / "image.ome.zarr" / "0",
        shape=grid.shape,
        dtype=np.dtype(np.uint16),
        chunk=(1, CHUNK_PX, CHUNK_PX),
        shard=grid.block_px,
        n_channels=n_channels,
    )
    histograms = np.zeros((n_channels, 65_536), dtype=np.int64)
    for index in range(grid.n_blocks):
        window = grid.block(index).write
        for channel in range(n_channels):
            made = pixels(channel, window)
            level.write(window, made, channel)
            histograms[channel] += np.bincount(made.reshape(-1), minlength=65_536)
        yield window
    np.save(folder / "histograms.npy", histograms)


def _write_metadata(folder: Path, facts: dict[str, Any]) -> None:
    from isthmus.image.affine import Affine
    from isthmus.image.ome_zarr import write_image_metadata

    size = facts["pixel_size_um"]
    write_image_metadata(
        folder,
        name="image",
        is_volume=False,
        factors=[(1, 1, 1)],
        affine=Affine(size, 0.0, 0.0, 0.0, size, 0.0),
        z_step_um=1.0,
        channels=facts["channels"],
    )


def pixels_of(image: str) -> Path:
    """The stored array of an image."""
    return folder_of(image) / "image.ome.zarr" / "0"


def read_image(image: str, channels: int = 4) -> UInt16:
    """The image (c, y, x), whole, in memory."""
    import zarr

    return np.asarray(zarr.open_array(pixels_of(image), mode="r")[:channels])


def read_truth(image: str) -> Int32:
    """True nuclei (y, x)."""
    made: Int32 = np.load(folder_of(image) / "truth.npy")
    return made


def read_oracle(image: str) -> Int32:
    """Nuclei (y, x) that the per-patch function finds in the whole image at once, small ones dropped."""
    made: Int32 = np.load(folder_of(image) / "oracle.npy")
    return made


def halo_of(image: str) -> int:
    """Border that the per-patch function needs, in pixels."""
    return int(json.loads((folder_of(image) / "method.json").read_text(encoding="utf-8"))["halo_px"])


def smallest_of(image: str) -> int:
    """Pixels of the smallest nucleus that is kept."""
    return int(json.loads((folder_of(image) / "method.json").read_text(encoding="utf-8"))["smallest_px"])
