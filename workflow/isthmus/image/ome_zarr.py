"""OME-Zarr 0.5 as Isthmus writes it: sharded Zarr v3 arrays, metadata last.

Images have axes (c, y, x) or (c, z, y, x), label images (y, x) or (z, y, x). Inside the package arrays are always
(c, z, y, x) and (z, y, x); the functions here add and drop the z axis of a plane.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from isthmus.blocks.grid import Region, Triple
from isthmus.image.affine import Affine
from isthmus.image.shards import read_slices, write_slices

OME_VERSION = "0.5"

CODECS = {
    "codec_pipeline.path": "zarrs.ZarrsCodecPipeline",
    "codec_pipeline.strict": True,
    "threading.max_workers": 1,
}
"""How arrays of our own are coded: half the time of zarr's own codecs, and one thread, for a worker has one core."""

_COLOURS = ("0000FF", "00FF00", "FF0000", "00FFFF", "FF00FF", "FFFF00", "FFFFFF")


@dataclass(frozen=True)
class Level:
    """One array of a pyramid, seen as (z, y, x), or (c, z, y, x) where it has channels."""

    array: zarr.Array
    is_volume: bool
    has_channels: bool

    @classmethod
    def open(cls, path: Path, *, is_volume: bool, has_channels: bool, mode: str = "r") -> Level:
        """Open an existing array; opened once in a process for as long as its metadata stay as they are."""
        stat = (path / "zarr.json").stat()
        array = _open_array(path, mode, (stat.st_mtime_ns, stat.st_ino))
        return cls(array, is_volume, has_channels)

    def read(self, region: Region, channel: int = 0) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of a region; ValueError where what is stored is damaged."""
        try:
            data: npt.NDArray[np.generic] = read_slices(self.array, self._index(region, channel))
        except RuntimeError as error:
            raise ValueError(f"{self._folder}: stored pixels cannot be decoded ({error})") from error
        return data.reshape(region.shape)

    def write(self, region: Region, pixels: npt.NDArray[np.generic], channel: int = 0) -> None:
        """Write pixels (z, y, x) to a region that is one whole shard (or what the array's edge leaves of it)."""
        # Zarr reads a shard before it replaces it, and would trip over one that is damaged.
        self.shard_file(region, channel).unlink(missing_ok=True)
        index = self._index(region, channel)
        write_slices(self.array, index, pixels.reshape([axis.stop - axis.start for axis in index]))

    def write_channels(self, region: Region, pixels: npt.NDArray[np.generic]) -> None:
        """Write all channels (c, z, y, x) of a region that is whole shards."""
        index = (slice(0, len(pixels)), *self._index(region, 0)[1:])
        for channel in range(len(pixels)):
            self.shard_file(region, channel).unlink(missing_ok=True)
        write_slices(self.array, index, pixels.reshape([axis.stop - axis.start for axis in index]))

    def shard_file(self, region: Region, channel: int = 0) -> Path:
        """The stored object that holds the shard which begins where the region begins."""
        shards = self.array.shards or self.array.chunks
        start = [a.start for a in region.slices[0 if self.is_volume else 1 :]]
        place = [s // n for s, n in zip(start, shards[-len(start) :], strict=True)]
        if self.has_channels:
            place.insert(0, channel // shards[0])
        return self._folder / "c" / Path(*(str(p) for p in place))

    @property
    def _folder(self) -> Path:
        folder: Path = Path(str(self.array.store.root)) / self.array.path
        return folder

    def _index(self, region: Region, channel: int) -> tuple[slice, ...]:
        # The codecs take slices only; an index would drop an axis.
        spatial = region.slices if self.is_volume else region.slices[1:]
        return (slice(channel, channel + 1), *spatial) if self.has_channels else spatial


@lru_cache(maxsize=16)
def _open_array(path: Path, mode: str, stamp: tuple[int, int]) -> zarr.Array:
    """The array at a path; `stamp` changes when its metadata are written anew."""
    with zarr.config.set(CODECS):
        return zarr.open_array(path, mode=mode)


def create_level(
    path: Path,
    *,
    shape: Triple,
    dtype: np.dtype[np.generic],
    chunk: Triple,
    shard: Triple,
    n_channels: int | None = None,
    together: int = 1,
    stays: bool = True,
) -> Level:
    """Create an empty array.

    Parameters
    ----------
    path
        Folder of the array; must not exist.
    shape, chunk, shard
        (z, y, x); z = 1 makes a plane without a z axis. A shard holds whole chunks.
    n_channels
        None for a label image.
    together
        Channels that a shard holds.
    stays
        Whether it is a result; labels that are not are coded faster and three times as large.
    """
    is_volume = shape[0] > 1
    first = 0 if is_volume else 1
    axes = ("z", "y", "x")[first:]
    sizes, chunks, shards = shape[first:], chunk[first:], shard[first:]
    if n_channels is not None:
        axes, sizes, chunks, shards = ("c", *axes), (n_channels, *sizes), (1, *chunks), (together, *shards)
    with zarr.config.set(CODECS):
        array = zarr.create_array(
            path,
            shape=sizes,
            dtype=dtype,
            chunks=chunks,
            shards=shards,
            compressors=_label_codec(stays) if n_channels is None else _image_codec(),
            fill_value=0,
            dimension_names=axes,
            overwrite=False,
        )
    return Level(array, is_volume, n_channels is not None)


def _label_codec(stays: bool) -> ZstdCodec | BloscCodec:
    """Long runs of equal ids: shuffling bytes would only break them up."""
    return ZstdCodec(level=1) if stays else BloscCodec(cname="lz4", clevel=5, shuffle="noshuffle")


def _image_codec() -> BloscCodec:
    """Sorted by bits, noise in the low ones costs nothing else; zstd would gain 7 % at three times the cost."""
    return BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")


def write_image_metadata(
    folder: Path,
    *,
    name: str,
    is_volume: bool,
    factors: Sequence[Triple],
    affine: Affine,
    z_step_um: float,
    channels: Sequence[str] | None = None,
    windows: Sequence[tuple[int, int]] = (),
) -> None:
    """Write the OME metadata of an image (channels given) or of a label image; this makes it complete.

    Parameters
    ----------
    factors
        Pixels of level 0 that one pixel of each level covers, (z, y, x), level 0 first.
    affine, z_step_um
        Where level 0 lies. OME-Zarr 0.5 knows scale and translation only; a rotation is kept in `isthmus`.
    windows
        Display range of each channel.
    """
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}] if channels is not None else []
    names = ("z", "y", "x") if is_volume else ("y", "x")
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in names]
    size_y, size_x = affine.pixel_size_um
    size = (z_step_um, size_y, size_x)
    first_pixel = (0.5 * z_step_um, *_centre(affine))
    datasets = []
    for level, factor in enumerate(factors):
        scale = [s * f for s, f in zip(size, factor, strict=True)]
        # OME-Zarr places a pixel by its centre; a coarse pixel's centre lies between those of the pixels it covers.
        translation = [t + s * (f - 1) / 2 for t, s, f in zip(first_pixel, size, factor, strict=True)]
        datasets.append(_dataset(str(level), scale, translation, is_volume, channels is not None))
    ome: dict[str, object] = {
        "version": OME_VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": axes,
                "datasets": datasets,
                "type": "mean" if channels is not None else "nearest",
                "metadata": {"description": "level n + 1 halves level n"},
            }
        ],
    }
    if channels is not None:
        ome["omero"] = {"channels": [_channel(label, i, windows) for i, label in enumerate(channels)]}
    else:
        ome["image-label"] = {
            "version": OME_VERSION,
            "source": {"image": "../../"},
            "colors": [{"label-value": 0, "rgba": [0, 0, 0, 0]}],
        }
    write_group(folder, {"ome": ome, "isthmus": {"affine": affine.numbers()}})


def write_labels_group(folder: Path, names: Sequence[str]) -> None:
    """Write the group that lists the label images of an image."""
    write_group(folder, {"ome": {"version": OME_VERSION, "labels": list(names)}})


def write_group(folder: Path, attributes: dict[str, object]) -> None:
    """Write a group's metadata, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=2)
    temporary = folder / f".zarr.json.{os.getpid()}"
    temporary.write_text(text)
    temporary.replace(folder / "zarr.json")


def _centre(affine: Affine) -> tuple[float, float]:
    x, y = affine.to_um(np.float64(0.5), np.float64(0.5))  # type: ignore[arg-type]
    return float(y), float(x)


def _dataset(
    path: str, scale: list[float], translation: list[float], is_volume: bool, channels: bool
) -> object:
    first = 0 if is_volume else 1
    prefix = [1.0] if channels else []
    offset = [0.0] if channels else []
    return {
        "path": path,
        "coordinateTransformations": [
            {"type": "scale", "scale": prefix + scale[first:]},
            {"type": "translation", "translation": offset + translation[first:]},
        ],
    }


def _channel(label: str, index: int, windows: Sequence[tuple[int, int]]) -> dict[str, object]:
    low, high = windows[index] if index < len(windows) else (0, 65535)
    return {
        "label": label,
        "color": "FFFFFF" if index == 0 else _COLOURS[index % len(_COLOURS)],
        "active": index == 0,
        "window": {"min": 0, "max": 65535, "start": low, "end": max(high, low + 1)},
    }
