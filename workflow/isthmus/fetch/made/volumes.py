"""Generated organoids in three dimensions: nuclei of known outlines and types, and what deep microscopy suffers from.

An organoid is a flattened ball of cells: an outer layer under the marker SOX2, a core under the marker KRT, and cells
of both that divide, under the marker KI67, with smaller and brighter nuclei. Nuclei are turned ellipsoids of a jittered
lattice. Then come a blur that is wider along z, light that is lost with depth, a background and noise. The treated
organoid has more dividing cells. One is written as HDF5 in the form of ilastik, the other as OME-TIFF.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from isthmus.fetch.made.drawing import Float64, uniform
from isthmus.fetch.made.ome_tiff import write_ome_tiff
from isthmus.fetch.made.text import write_table

SHAPE = (40, 240, 240)
VOXEL_UM = (1.0, 0.4, 0.4)
PITCH_UM = 9.5
"""Edge of a lattice cube; each holds at most one nucleus."""

CHANNELS = ("DNA", "SOX2", "KRT", "KI67")
SAMPLES = {"control": (20261201, 0.08), "treated": (20261202, 0.32)}
"""Seed, and share of dividing cells."""

TYPES = ("outer", "core")
GATES = (("dividing", "KI67", ""), ("outer", "SOX2", "KI67 KRT"), ("core", "KRT", "KI67 SOX2"))
"""Cell type, markers that it has, markers that it lacks."""

RADIUS_UM = (24.0, 45.0, 45.0)
"""Semi-axes of the organoid (z, y, x)."""
LAYER = 0.6
"""Cells farther out than this share of the radius, squared, are of the outer layer."""

LARGEST_UM = 4.8
"""No nucleus reaches farther from its centre."""
_BACKGROUND, _DNA, _MARKER = 120.0, 900.0, 700.0
_LOST_WITH_DEPTH = 0.35

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def make(folder: Path) -> None:
    """Write control.h5, treated.ome.tif, gates.csv, and the truth: a label volume and a table of each."""
    write_table(folder / "gates.csv", ("cell_type", "positive", "negative"), GATES)
    for name, (seed, dividing) in SAMPLES.items():
        labels, cubes = _nuclei(seed, dividing)
        pixels = _pixels(seed, dividing, labels, cubes)
        if name == "control":
            _write_hdf5(folder / f"{name}.h5", pixels)
        else:
            write_ome_tiff(
                folder / f"{name}.ome.tif",
                pixels,
                channels=CHANNELS,
                pixel_size_um=VOXEL_UM[2],
                z_step_um=VOXEL_UM[0],
            )
        write_ome_tiff(
            folder / "truth" / f"{name}.ome.tif",
            labels.astype(np.uint16)[np.newaxis],
            channels=("nuclei",),
            pixel_size_um=VOXEL_UM[2],
            z_step_um=VOXEL_UM[0],
        )
        _write_truth(folder / "truth" / f"{name}.csv", seed, dividing, labels, cubes)


def _write_hdf5(path: Path, pixels: npt.NDArray[np.uint16]) -> None:
    tags = [{"key": axis, "typeFlags": 1 if axis == "c" else 2, "resolution": 0} for axis in "czyx"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", track_order=False) as file:
        data = file.create_dataset("raw", data=pixels, chunks=(1, 20, 80, 80), track_times=False)
        data.attrs["axistags"] = json.dumps({"axes": tags})
        data.attrs["element_size_um"] = np.array(VOXEL_UM)
        data.attrs["channel_names"] = list(CHANNELS)


def _write_truth(path: Path, seed: int, dividing: float, labels: Int32, cubes: Int64) -> None:
    rows = []
    is_outer, divides = _is_outer(seed, cubes), _divides(seed, dividing, cubes)
    for place in range(len(cubes)):
        found = np.nonzero(labels == place + 1)
        centre = [round((int(v.sum()) / v.size + 0.5) * s, 3) for v, s in zip(found, VOXEL_UM, strict=True)]
        kind = TYPES[0 if is_outer[place] else 1]
        rows.append((place + 1, kind, int(divides[place]), *reversed(centre), found[0].size))
    write_table(path, ("cell", "cell_type", "dividing", "x_um", "y_um", "z_um", "voxels"), rows)


def _nuclei(seed: int, dividing: float) -> tuple[Int32, Int64]:
    """Label volume (z, y, x), and the lattice cube (n, 3) of each label from 1."""
    numbers = [int(n * size / PITCH_UM) + 2 for n, size in zip(SHAPE, VOXEL_UM, strict=True)]
    cubes = np.stack(np.meshgrid(*(np.arange(-1, n) for n in numbers), indexing="ij"), axis=-1).reshape(-1, 3)
    cubes = cubes[_filled(seed, list(cubes.T))]
    best = np.ones(SHAPE)
    labels = np.zeros(SHAPE, dtype=np.int32)
    for number, cube in enumerate(cubes, start=1):
        box = _box(seed, cube)
        where = [
            ((np.arange(part.start, part.stop) + 0.5) * VOXEL_UM[axis]).reshape(
                [-1 if axis == a else 1 for a in range(3)]
            )
            for axis, part in enumerate(box)
        ]
        depth = _depth(seed, dividing, list(cube), where)
        nearer = depth < best[box]
        best[box][nearer], labels[box][nearer] = depth[nearer], number
    there = np.unique(labels[labels > 0])
    renumbered = np.zeros(len(cubes) + 1, dtype=np.int32)
    renumbered[there] = np.arange(1, len(there) + 1)
    return renumbered[labels], cubes[there - 1]


def _box(seed: int, cube: Int64) -> tuple[slice, slice, slice]:
    """Voxels that a nucleus may reach."""
    made = []
    for centre, size, n in zip(_centre(seed, list(cube)), VOXEL_UM, SHAPE, strict=True):
        low, high = (int((float(centre) + way * LARGEST_UM) / size) for way in (-1, 1))
        made.append(slice(min(max(0, low - 1), n), max(0, min(n, high + 2))))
    return made[0], made[1], made[2]


def _centre(seed: int, cube: list[Int64]) -> list[Float64]:
    """Place of the nucleus of a lattice cube (z, y, x) in micrometres."""
    return [(cube[axis] + 0.25 + 0.5 * uniform(seed + 1 + axis, *cube)) * PITCH_UM for axis in range(3)]


def _out(seed: int, cube: list[Int64]) -> Float64:
    """Squared distance from the middle of the organoid, 1 at its surface."""
    middle = [n * size / 2 for n, size in zip(SHAPE, VOXEL_UM, strict=True)]
    parts = [
        ((place - centre) / radius) ** 2
        for place, centre, radius in zip(_centre(seed, cube), middle, RADIUS_UM, strict=True)
    ]
    squared: Float64 = parts[0] + parts[1] + parts[2]
    return squared


def _filled(seed: int, cube: list[Int64]) -> npt.NDArray[np.bool_]:
    filled: npt.NDArray[np.bool_] = (_out(seed, cube) < 1) & (uniform(seed + 5, *cube) < 0.92)
    return filled


def _is_outer(seed: int, cubes: Int64) -> npt.NDArray[np.bool_]:
    outer: npt.NDArray[np.bool_] = _out(seed, list(cubes.T)) > LAYER
    return outer


def _divides(seed: int, dividing: float, cubes: Int64) -> npt.NDArray[np.bool_]:
    divides: npt.NDArray[np.bool_] = uniform(seed + 6, *cubes.T) < dividing
    return divides


def _depth(seed: int, dividing: float, cube: list[Int64], where: list[Float64]) -> Float64:
    """0 at the centre of the nucleus of a lattice cube, 1 on its surface."""
    z, y, x = (at - centre for at, centre in zip(where, _centre(seed, cube), strict=True))
    # a turn by tangents of the half angle, which needs no sine
    half = 2 * uniform(seed + 7, *cube) - 1
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    along, across = y * cosine + x * sine, x * cosine - y * sine
    smaller = np.where(uniform(seed + 6, *cube) < dividing, 0.85, 1.0)
    radii = [(3.3 + 1.4 * uniform(seed + 8 + k, *cube)) * smaller for k in range(3)]
    depth: Float64 = (z / radii[0]) ** 2 + (along / radii[1]) ** 2 + (across / radii[2]) ** 2
    return depth


def _pixels(seed: int, dividing: float, labels: Int32, cubes: Int64) -> npt.NDArray[np.uint16]:
    """The volume (c, z, y, x)."""
    outer, divides = _is_outer(seed, cubes), _divides(seed, dividing, cubes)
    spread = [0.7 + 0.6 * uniform(seed + 20 + k, *cubes.T) for k in range(len(CHANNELS))]
    levels = (
        _DNA * spread[0] * np.where(divides, 1.5, 1.0),
        _MARKER * spread[1] * outer,
        _MARKER * spread[2] * ~outer,
        _MARKER * spread[3] * divides,
    )
    depth = np.arange(SHAPE[0]).reshape(-1, 1, 1)
    channels = []
    for channel, level in enumerate(levels):
        light = np.concatenate([[0.0], level])[labels]
        light = _blurred(light, (3, 2, 2)) * (1.0 - _LOST_WITH_DEPTH * depth / SHAPE[0]) + _BACKGROUND
        light += _noise(seed + 40 + 2 * channel) * np.sqrt(12.0 * light + 400.0)
        channels.append(np.clip(np.floor(light + 0.5), 0, 65535).astype(np.uint16))
    return np.stack(channels)


def _noise(seed: int) -> Float64:
    """Numbers of mean 0 and standard deviation 1 a voxel: sums of two even draws."""
    at = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    noise: Float64 = (uniform(seed, *at) + uniform(seed + 1, *at) - 1.0) * 6.0**0.5
    return noise


def _blurred(volume: Float64, times: tuple[int, int, int]) -> Float64:
    """A volume under the binomial filter 1 4 6 4 1, so many times along each axis; faces are repeated."""
    for axis, n in enumerate(times):
        for _ in range(n):
            wide = np.pad(volume, [(2, 2) if a == axis else (0, 0) for a in range(3)], mode="edge")
            size = volume.shape[axis]
            parts = [np.take(wide, np.arange(k, k + size), axis=axis) for k in range(5)]
            volume = (parts[0] + parts[4] + 4.0 * (parts[1] + parts[3]) + 6.0 * parts[2]) / 16.0
    return volume
