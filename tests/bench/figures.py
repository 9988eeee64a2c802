"""The figures of the page, computed from the results of the rows; None where a row that is needed has no result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.rows import BLOCK_PX, LARGE_PX, MEMORY, SEAM_BLOCKS_PX, Sizes, rows

STAGES = ("pass 1", "stitching", "pass 2", "table", "outlines")
MEASURING = ("perimeters", "hulls", "percentiles", "texture", "other measuring")
"""Parts of measuring besides sums."""
_FUNCTION = ("landscape", "forest")
_SUMS = (*_FUNCTION, "statistics")
IN_MEMORY = {
    "sums of intensity and shape": _SUMS,
    "perimeters and hulls too": (*_SUMS, "perimeters", "hulls", "other measuring"),
}
"""Parts of both passes in memory: with what the prototype measured, and with all shape."""


@dataclass(frozen=True)
class Goal:
    """A bound from below or from above."""

    text: str
    low: float | None = None
    high: float | None = None

    def met(self, value: float) -> bool:
        """Whether a value lies within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def at_least(bound: float) -> Goal:
    """A bound from below."""
    return Goal(f">= {bound:,g}", low=bound)


def at_most(bound: float) -> Goal:
    """A bound from above."""
    return Goal(f"<= {bound:,g}", high=bound)


def ratio(one: float | None, other: float | None) -> float | None:
    """Their ratio, where both are known."""
    return one / other if one is not None and other else None


class Figures:
    """All figures of one run of the benchmark."""

    def __init__(self, results: dict[str, Any], sizes: Sizes) -> None:
        self._results = results
        self.sizes = sizes

    def values(self, key: str) -> dict[str, Any]:
        """What a row returned; empty where it failed."""
        made: dict[str, Any] = self._results.get(key, {}).get("values", {})
        return made

    def core(self, key: str) -> float | None:
        """CPU seconds of the work itself."""
        return self.values(key).get("core_cpu_s")

    def reason(self, key: str) -> str:
        """Why a row has no result."""
        return str(self._results.get(key, {}).get("reason", ""))

    def failed(self) -> Iterator[tuple[str, str]]:
        """Rows without a result."""
        for key, outcome in self._results.items():
            if outcome.get("reason"):
                yield key, outcome["reason"]

    def total(self, key: str) -> dict[str, Any] | None:
        """A row, or all stages of a path: CPU added up, memory the largest, other values of the last that has them."""
        keys = [key] if key in self._results else [f"{key}: {stage}" for stage in STAGES]
        found = [self._results.get(one) for one in keys]
        if not all(one and one["values"] for one in found):
            return None
        made: dict[str, Any] = {}
        for one in found:
            if one:
                made |= {"files": one["files"]} | one["values"]
        made["core_cpu_s"] = sum(one["values"]["core_cpu_s"] for one in found)
        made["cpu_s"] = sum(one["cpu_s"] for one in found)
        made["peak_mb"] = max(one["peak_mb"] for one in found)
        return made

    def megapixels(self, image: str) -> float:
        """Millions of pixels of one channel."""
        shape = self.values(f"prepare {image}").get("shape", [0, 0])
        return float(shape[0] * shape[1] / 1e6)

    def paths(self) -> Iterator[tuple[str, int, str]]:
        """Image, block and stage of all paths that were measured for speed."""
        for image in (self.sizes.throughput, self.sizes.fine):
            for block_px in (BLOCK_PX, LARGE_PX):
                for stage in STAGES:
                    yield image, block_px, stage

    def path(self, image: str, block_px: int, stage: str) -> dict[str, Any] | None:
        """A stage of a path that was measured for speed."""
        found = self._results.get(f"{image} {block_px}: {stage}")
        if not found or not found["values"]:
            return None
        return {"phases": {}, "peak_mb": found["peak_mb"], **found["values"]}

    def memory(self) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
        """Image, block, what is measured, and the values of all rows in memory that have a result."""
        for image in (self.sizes.throughput, self.sizes.fine):
            for block_px in (BLOCK_PX, LARGE_PX):
                for what in MEMORY:
                    values = self.values(f"memory {image} {block_px} {what}")
                    if values:
                        yield image, block_px, what, values

    def speed_in_memory(self, image: str, block_px: int, parts: tuple[str, ...]) -> float | None:
        """MPix a CPU second of some parts of both passes on decoded blocks, steady state."""
        values = self.values(f"memory {image} {block_px} sums and shape")
        spent = [values["phases"].get(part) for part in parts] if values else [None]
        return ratio(values.get("mpix"), _sum(spent))

    def whole_path_s(self, image: str, block_px: int) -> float | None:
        """CPU seconds of both passes and stitching, disk included."""
        stages = [self.path(image, block_px, stage) for stage in STAGES[:3]]
        return None if None in stages else sum(one["core_cpu_s"] for one in stages if one)

    def stitching_share(self) -> float | None:
        """Stitching, share of pass 1, in per cent."""
        stitching = self.path(self.sizes.throughput, BLOCK_PX, "stitching")
        first = self.path(self.sizes.throughput, BLOCK_PX, "pass 1")
        return 100 * stitching["core_cpu_s"] / first["core_cpu_s"] if stitching and first else None

    def sopa(self, key: str) -> dict[str, float] | None:
        """Core, per-patch function and the rest, of Sopa or of a path of Isthmus, and cells."""
        if key in self._results:
            one = self.values(key)
            if not one:
                return None
            return {
                "core": one["core_cpu_s"],
                "user": one["user_cpu_s"],
                "rest": one["rest_cpu_s"],
                "cells": one["objects"],
            }
        total = self.total(key)
        if total is None:
            return None
        user = sum(self.values(f"{key}: pass 1")["phases"].get(name, 0.0) for name in _FUNCTION)
        core = total["core_cpu_s"]
        return {"core": core, "user": user, "rest": core - user, "cells": total["objects"]}

    def sopa_phases(self) -> list[tuple[str, float]]:
        """The parts of Sopa, dearest first."""
        phases = self.values("sopa large").get("phases", {})
        return sorted(phases.items(), key=lambda item: -item[1])

    def sopa_aggregation(self) -> float | None:
        """CPU seconds of Sopa's aggregation with transcripts."""
        made: float | None = self.values("sopa transcripts").get("phases", {}).get("aggregation")
        return made

    def sopa_ratio(self, what: str) -> float | None:
        """Sopa's CPU over that of Isthmus."""
        one, other = self.sopa("sopa large"), self.sopa("isthmus for sopa")
        return ratio(one[what], other[what]) if one and other else None

    def cells_per_s(self, key: str) -> float | None:
        """Cells measured a CPU second, joining included.

        `isthmus` and `isthmus all`: nucleus and cytoplasm of cells, sums or everything.
        """
        if not key.startswith("isthmus"):
            made: float | None = self.values(key).get("cells_per_cpu_s")
            return made
        second = self.path(self.sizes.throughput, BLOCK_PX, "pass 2")
        joined = self.path(self.sizes.throughput, BLOCK_PX, "table")
        if not second or not joined:
            return None
        spent = second["phases"]["statistics"] + joined["phases"]["sums"]
        if key == "isthmus all":
            spent += sum(one["phases"].get(part, 0.0) for one in (second, joined) for part in MEASURING)
        return float(joined["objects"] / spent)

    def measured(self) -> list[tuple[str, str, str]]:
        """Library, what it measures, key of its row."""
        basic = "area, box, centroid, mean, minimum, maximum, deviation"
        return [
            ("Isthmus, cells with cytoplasm", f"{basic}, axes, of each compartment", "isthmus"),
            ("Isthmus, cells with cytoplasm", "the same, medians, perimeter, convex hull", "isthmus all"),
            ("scikit-image regionprops_table", basic, "regionprops basic"),
            (
                "scikit-image regionprops_table",
                f"{basic}, axes, eccentricity, orientation",
                "regionprops shape",
            ),
            ("numpy bincount", "mean", "bincount"),
            ("cp_measure", "its groups intensity and sizeshape", "cp_measure"),
            ("cp_measure, accelerator numba", "its groups intensity and sizeshape", "cp_measure numba"),
            ("bioimage-py morphology", "area, centroid, box; no intensities", "bioimage-py morphology"),
            ("dask-image ndmeasure", "mean, of 100 cells", "dask-image mean"),
            ("spatialdata aggregate", "mean", "spatialdata aggregate"),
            (
                "squidpy calculate_image_features",
                "area and mean in crops around 200 cells",
                "squidpy features",
            ),
        ]

    def given_nuclei(self) -> Iterator[tuple[str, float | None]]:
        """What is measured in nuclei that are not grown, and cells a CPU second, joining included."""
        for title, what, spent in (
            ("sums of intensity and shape", "sums and shape", "sums_cpu_s"),
            ("perimeters and hulls too", "sums and shape", "statistics_cpu_s"),
            ("medians too", "and medians", "statistics_cpu_s"),
        ):
            values = self.values(f"memory {self.sizes.throughput} {BLOCK_PX} {what}")
            yield title, ratio(values.get("objects"), values.get(spent))

    def not_run(self) -> list[str]:
        """Rows that were left out."""
        return [row.key for row in rows(self.sizes) if row.key not in self._results]

    def load(self) -> tuple[float, float] | None:
        """Median and largest load of the machine at the beginning of the rows, the benchmark's own included."""
        found = sorted(one["load"] for one in self._results.values() if "load" in one)
        return (found[len(found) // 2], found[-1]) if found else None

    def curve(self, side: int) -> dict[str, float] | None:
        """Speed, memory and files at a size."""
        total = self.total(f"curve {side}")
        if total is None:
            return None
        peak = {stage: self._results[f"curve {side}: {stage}"]["peak_mb"] for stage in STAGES}
        return {
            "speed": self.megapixels(f"tissue-{side}") / total["core_cpu_s"],
            "worker_mb": max(peak["pass 1"], peak["pass 2"]),
            "stitch_mb": peak["stitching"],
            "table_mb": peak["table"],
            "outlines_mb": peak["outlines"],
            "files": total["files"],
            "cells": total["objects"],
        }

    @property
    def compared_px(self) -> int:
        """Pixels a side that the largest size is compared with: 4096, or the smallest of the curve."""
        return 4096 if 4096 in self.sizes.curve else self.sizes.curve[0]

    def worker_growth(self) -> float | None:
        """Memory of a worker at the largest size over that at the size it is compared with."""
        one, other = self.curve(self.sizes.curve[-1]), self.curve(self.compared_px)
        return ratio(one["worker_mb"], other["worker_mb"]) if one and other else None

    def codec_share(self) -> float | None:
        """The codecs' own time as a share of both passes, in per cent."""
        share = ratio(self.core("codecs"), self.whole_path_s(self.sizes.throughput, BLOCK_PX))
        return None if share is None else 100 * share

    def asked(self) -> Iterator[tuple[str, Goal, float | None, int]]:
        """Name, goal, value, digits of each figure that was asked for."""
        s = self.sizes
        wrong = [(self.total(f"isthmus {n}") or {}).get("wrong") for n in SEAM_BLOCKS_PX]
        sides = self.megapixels(s.throughput)
        yield "objects that differ from the whole image, blocks of 512 and 1024", at_most(0), _sum(wrong), 0
        for image in (s.throughput, s.fine):
            for n in (BLOCK_PX, LARGE_PX):
                for what, parts in IN_MEMORY.items():
                    name = f"`basins`, {what}, in memory, `{image}`, blocks of {n}, MPix / CPU s"
                    yield name, at_least(40), self.speed_in_memory(image, n, parts), 1
        for n in (BLOCK_PX, LARGE_PX):
            spent = self.whole_path_s(s.throughput, n)
            yield (
                f"both passes and stitching with disk, blocks of {n}, MPix / CPU s",
                at_least(15),
                ratio(sides, spent),
                1,
            )
        yield "stitching, share of pass 1, blocks of 1024, %", at_most(5), self.stitching_share(), 2
        yield "Sopa / Isthmus, same function, core CPU", at_least(10), self.sopa_ratio("core"), 1
        yield "Sopa / Isthmus, all but the function", at_least(50), self.sopa_ratio("rest"), 1
        for title, speed in self.given_nuclei():
            yield f"nuclei measured: {title}, cells / CPU s, 4 channels", at_least(300_000), speed, 0
        yield "transcripts in spatial order, CPU s", at_most(0.6), self.core("transcripts spatial"), 2
        yield "transcripts in random order, written, CPU s", at_most(2.5), self.core("transcripts random"), 2
        yield (
            f"worker memory, {s.curve[-1]:,} px over {self.compared_px:,} px a side",
            at_most(1.05),
            self.worker_growth(),
            3,
        )
        yield "import and first kernel, warm, CPU s", at_most(2), self.core("import"), 2
        yield "share of the codec limit, %", at_least(25), self.codec_share(), 1
        quality = self.values("dsb")
        yield "F1 at 0.5, 32 images of DSB 2018", at_least(0.86), quality.get("f1"), 3
        gain = quality["f1"] - quality["f1_baseline"] if quality else None
        yield "the same, over Otsu with distance watershed", at_least(0.03), gain, 3


def _sum(values: list[Any]) -> float | None:
    return None if None in values else float(sum(values))
