"""Whether image and label images can be opened as their metadata say, and every stored object decoded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.errors import UserError
from isthmus.image.ome_zarr import Level
from isthmus.image.pyramid import level_factors, level_shape
from isthmus.plan.model import SamplePlan
from isthmus.plan.paths import RunPaths
from isthmus.verify.label_sums import LabelSums, add_sums, sums_of_region
from isthmus.verify.noted import RUN_AGAIN, Place

LABELS = ("nuclei", "cells")


@dataclass
class Seen:
    """What was seen of a sample's stores: stored objects decoded, and the sums of each label image that is whole."""

    n_decoded: int = 0
    sums: dict[str, LabelSums] = field(default_factory=dict)


class StoreCheck:
    """Goes through the image and the label images of one sample; memory is that of one stored object."""

    def __init__(self, plan: SamplePlan, paths: RunPaths, sample: str, place: Place, bad: set[str]) -> None:
        """`bad` are paths below the results of files that are known to be damaged: they are not read."""
        self._plan, self._paths, self._of, self._place, self._bad = (
            plan,
            paths,
            paths.sample(sample),
            place,
            bad,
        )
        self.seen = Seen()

    def faults(self) -> Iterator[UserError]:
        """Every fault; after this, `seen` is complete."""
        found: dict[str, list[LabelSums]] = {name: [] for name in LABELS}
        whole = set(LABELS)
        for image, path in enumerate(self._plan.image_paths):
            shape = self._plan.stack.grid(image).shape
            labels = self._of.labels_at(path)
            yield from self._store(self._of.image_at(path), shape, n_channels=self._plan.shape[0])
            yield from self._group(labels, ("labels",), list(LABELS))
            for name in LABELS:
                before = len(self._bad)
                faults = list(self._store(labels / name, shape, n_channels=None, parts=found[name]))
                yield from faults
                if faults or self._harmed(labels / name / "0") or len(self._bad) != before:
                    whole.discard(name)
        yield from self._collection()
        for name in (name for name in LABELS if name in whole):
            self.seen.sums[name] = add_sums(found[name])

    def _collection(self) -> Iterator[UserError]:
        """Whether the groups above many images list them."""
        if self._plan.layout in ("series", "planes"):
            yield from self._group(self._of.image / "OME", ("series",), list(self._plan.image_paths))
        if self._plan.layout == "plate":
            fields: dict[str, list[str]] = {}
            for path in self._plan.image_paths:
                well, _, name = path.rpartition("/")
                fields.setdefault(well, []).append(name)
            yield from self._group(self._of.image, ("plate", "wells"), list(fields))
            for well, names in fields.items():
                yield from self._group(self._of.image / well, ("well", "images"), names)

    def _harmed(self, array: Path) -> bool:
        folder = f"{array.relative_to(self._paths.root).as_posix()}/"
        return any(path.startswith(folder) for path in self._bad)

    def _store(
        self, folder: Path, shape: Triple, *, n_channels: int | None, parts: list[LabelSums] | None = None
    ) -> Iterator[UserError]:
        factors = level_factors(shape, self._plan.coarsest_px)
        yield from self._group(folder, ("multiscales", 0, "datasets"), [str(n) for n in range(len(factors))])
        for number, factor in enumerate(factors):
            of_level = parts if number == 0 else None
            yield from self._array(folder / str(number), level_shape(shape, factor), n_channels, of_level)

    def _group(self, folder: Path, keys: tuple[str | int, ...], names: list[str]) -> Iterator[UserError]:
        """Whether the OME metadata of a group list what is there."""
        file = folder / "zarr.json"
        if self._is_bad(file):
            return
        try:
            listed = json.loads(file.read_text())["attributes"]["ome"]
            for key in keys:
                listed = listed[key]
            found = [str(item["path"] if isinstance(item, dict) else item) for item in listed]
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            yield self._fault(file, "the OME metadata cannot be read")
            return
        if found != names:
            yield self._fault(file, f"the OME metadata list {', '.join(found)} instead of {', '.join(names)}")

    def _array(
        self, array: Path, shape: Triple, n_channels: int | None, parts: list[LabelSums] | None
    ) -> Iterator[UserError]:
        metadata = array / "zarr.json"
        if self._is_bad(metadata):
            return
        is_volume = shape[0] > 1
        try:
            level = Level.open(array, is_volume=is_volume, has_channels=n_channels is not None)
        except (OSError, ValueError, KeyError, TypeError):
            yield self._fault(metadata, "the array cannot be opened")
            return
        spatial = shape if is_volume else shape[1:]
        wanted = spatial if n_channels is None else (n_channels, *spatial)
        if level.array.shape != wanted:
            sizes = (" x ".join(map(str, size)) for size in (level.array.shape, wanted))
            yield self._fault(metadata, "the array has {} pixels instead of {}".format(*sizes))
            return
        grid = Grid(shape, _shard(level, is_volume))
        for channel in range(n_channels or 1):
            for index in range(grid.n_blocks):
                yield from self._object(level, grid.block(index).write, channel, parts)

    def _object(
        self, level: Level, region: Region, channel: int, parts: list[LabelSums] | None
    ) -> Iterator[UserError]:
        file = level.shard_file(region, channel)
        if self._is_bad(file) or not file.exists():  # nothing but background is no file
            return
        try:
            pixels = level.read(region, channel)
        except ValueError:
            self._bad.add(file.relative_to(self._paths.root).as_posix())
            yield self._fault(file, "the stored pixels cannot be decoded")
            return
        self.seen.n_decoded += 1
        if parts is not None:
            parts.append(sums_of_region(pixels, region))

    def _is_bad(self, file: Path) -> bool:
        return file.relative_to(self._paths.root).as_posix() in self._bad

    def _fault(self, file: Path, found: str) -> UserError:
        place = self._place(file.relative_to(self._paths.root).as_posix())
        return UserError(where=place, found=found, do=f"delete it, then {RUN_AGAIN}")


def _shard(level: Level, is_volume: bool) -> Triple:
    sizes = level.array.shards or level.array.chunks
    return (sizes[-3] if is_volume else 1, sizes[-2], sizes[-1])
