"""The rows of the benchmark, in the order in which they run. A row's key names it in the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BLOCK_PX, LARGE_PX = 1024, 2048
"""Edge of a block: the product's default, and one that loses less to halos."""
SEAM_BLOCKS_PX = (512, 1024)
REPEATS = 2
"""Processes of each row that counts; the one that cost least is reported."""
MEMORY: dict[str, dict[str, Any]] = {
    "sums and shape": {},
    "and medians": {"medians": True},
    "and medians and texture": {"medians": True, "texture": True},
    "and medians, grown by 3 um": {"medians": True, "grown": "by distance"},
    "and medians, grown along a channel": {"medians": True, "grown": "along a channel"},
}
"""What the rows in memory do, and their options."""
_ONCE = ("data:", "ours_run:", "ours_memory:", "ours_transcripts:")
_WITH_ORACLE = ("peers_blocks:", "measuring:", "limits:codecs")


@dataclass(frozen=True)
class Row:
    """One process: `module:function` of this package and its arguments, in an environment ("" is the project's own)."""

    key: str
    target: str
    arguments: dict[str, Any] = field(default_factory=dict)
    environment: str = ""

    @property
    def repeats(self) -> int:
        """Making of inputs and whole runs happen once; rows that repeat their work in one process do so themselves."""
        made_once = self.target.startswith(_ONCE) or self.key.startswith(("method ", "warm:"))
        return 1 if made_once else REPEATS

    @property
    def path(self) -> str:
        """What the stages of one path have in common, "" for a row that is no stage."""
        name, colon, _ = self.key.partition(": ")
        return name if colon else ""

    @property
    def needs(self) -> set[str]:
        """Keys of rows that come before this one."""
        image = self.arguments.get("image")
        if image is None or self.key.startswith("prepare "):
            return set()
        made = (
            {f"prepare {image}"}
            if self.key.startswith("method ")
            else {f"prepare {image}", f"method {image}"}
        )
        if self.target.startswith(_WITH_ORACLE) or self.arguments.get("score"):
            made.add(f"oracle {image}")
        if self.target == "peers_sopa:segment" and self.arguments["patch_px"]:
            made.add("sopa xenium whole" if image == "xenium" else "sopa whole")
        return made


@dataclass(frozen=True)
class Sizes:
    """Which images are used.

    seams, statistics
        Image for blocks against the whole (Sopa included), and for measuring given cells.
    sopa
        Image for what Sopa and Isthmus cost with the same function.
    throughput, fine
        Images for the speed of the passes, at 0.5 and 0.2125 um.
    curve
        Pixels a side of the cost curve.
    whole_tools
        Pixels a side up to which whole-image tools take part in the curve.
    million
        Transcripts.
    """

    seams: str = "tissue-2048"
    statistics: str = "tissue-2048"
    sopa: str = "tissue-4096"
    throughput: str = "tissue-4096"
    fine: str = "fine-4096"
    curve: tuple[int, ...] = (1024, 4096, 8192, 16384)
    whole_tools: int = 4096
    conflicts: tuple[int, ...] = (10_000, 40_000, 160_000)
    million: int = 10

    @property
    def images(self) -> list[str]:
        """All images, each once."""
        named = [self.seams, self.statistics, self.sopa, self.throughput, self.fine]
        return list(dict.fromkeys([*named, *(f"tissue-{side}" for side in self.curve), "xenium"]))


QUICK = Sizes(
    seams="tissue-1024",
    statistics="tissue-1024",
    sopa="tissue-1024",
    throughput="tissue-2048",
    fine="fine-2048",
    curve=(1024, 2048),
    whole_tools=1024,
    conflicts=(10_000,),
    million=1,
)


def rows(sizes: Sizes) -> list[Row]:
    """All rows."""
    made = [*_prepared(sizes), *_seams(sizes), *_sopa(sizes), *_statistics(sizes)]
    made += [
        Row("dsb", "limits:expert_outlines"),
        Row("codecs", "limits:codecs", {"image": sizes.throughput}),
        Row("import", "ours:import_and_first"),
    ]
    made += [*_memory(sizes), *_throughput(sizes), *_curve(sizes), *_transcripts(sizes), *_whole_runs(sizes)]
    return made


def select(made: list[Row], only: str) -> list[Row]:
    """Rows whose key contains some text, the other stages of their paths, and what they need before."""
    wanted = {row.key for row in made if only in row.key}
    paths = {row.path for row in made if row.key in wanted} - {""}
    wanted |= {row.key for row in made if row.path in paths}
    while True:
        needed = wanted.union(*(row.needs for row in made if row.key in wanted))
        if needed == wanted:
            return [row for row in made if row.key in wanted]
        wanted = needed


def _prepared(sizes: Sizes) -> list[Row]:
    made = []
    for image in sizes.images:
        made.append(Row(f"prepare {image}", "data:prepare", {"image": image}))
        made.append(Row(f"method {image}", "ours:prepare_method", {"image": image}))
    # compiled once for each environment, so that no row that counts pays for it
    made += _path("warm", "tissue-1024", 512)
    with_oracle = dict.fromkeys([sizes.seams, sizes.statistics, sizes.sopa, sizes.throughput, "xenium"])
    return made + [Row(f"oracle {image}", "ours:whole_image", {"image": image}) for image in with_oracle]


def _path(
    name: str, image: str, block_px: int, *, expand_um: float | None = None, score: bool = False
) -> list[Row]:
    """Both passes and what lies between and after them, each in its own process."""
    arguments = {"image": image, "block_px": block_px, "expand_um": expand_um}
    return [
        Row(f"{name}: pass 1", "ours_path:first_pass", arguments),
        Row(f"{name}: stitching", "ours_path:stitch_blocks", arguments),
        Row(f"{name}: pass 2", "ours_path:second_pass", arguments),
        Row(f"{name}: table", "ours_path:join_sums", {**arguments, "score": score}),
        Row(f"{name}: outlines", "ours_path:write_outlines", arguments),
    ]


def _seams(sizes: Sizes) -> list[Row]:
    image, made = sizes.seams, []
    for block_px in SEAM_BLOCKS_PX:
        cut = {"image": image, "block_px": block_px}
        made += [
            *_path(f"isthmus {block_px}", image, block_px, score=True),
            Row(f"no halo {block_px}", "peers_blocks:cut", {**cut, "with_halo": False}),
            Row(f"halo, cut {block_px}", "peers_blocks:cut", {**cut, "with_halo": True}),
            Row(f"bioimage-py {block_px}", "peers_blocks:bioimage_stitch", cut, "blocks"),
            Row(f"dask-image {block_px}", "peers_blocks:dask_label", cut, "blocks"),
        ]
    for how in ("otsu", "local", "same"):
        made.append(Row(f"skimage {how}", "peers_skimage:segment_whole", {"image": image, "how": how}))
    return made


def _memory(sizes: Sizes) -> list[Row]:
    return [
        Row(
            f"memory {image} {block_px} {what}",
            "ours_memory:both_passes",
            {"image": image, "block_px": block_px, **options},
        )
        for image in (sizes.throughput, sizes.fine)
        for block_px in (BLOCK_PX, LARGE_PX)
        for what, options in MEMORY.items()
        if not options or (image, block_px) == (sizes.throughput, BLOCK_PX)
    ]


def _throughput(sizes: Sizes) -> list[Row]:
    return [
        row
        for image in (sizes.throughput, sizes.fine)
        for block_px in (BLOCK_PX, LARGE_PX)
        for row in _path(f"{image} {block_px}", image, block_px)
    ]


def _statistics(sizes: Sizes) -> list[Row]:
    image = {"image": sizes.statistics}
    return [
        Row("regionprops basic", "measuring:regionprops", {**image, "shape": False}),
        Row("regionprops shape", "measuring:regionprops", {**image, "shape": True}),
        Row("bincount", "measuring:scipy_sums", image),
        Row("cp_measure", "measuring:cp_measure", {**image, "accelerated": False}, "blocks"),
        Row("cp_measure numba", "measuring:cp_measure", {**image, "accelerated": True}, "blocks"),
        Row("dask-image mean", "measuring:dask_image", image, "blocks"),
        Row("bioimage-py morphology", "measuring:bioimage_regionprops", image, "blocks"),
        Row("spatialdata aggregate", "measuring:spatialdata_aggregate", image, "sopa"),
        Row("squidpy features", "measuring:squidpy_features", image, "sopa"),
    ]


def _sopa(sizes: Sizes) -> list[Row]:
    """Sopa on both images: the small one in patches and in one, the large one for what it costs."""
    made = [
        _sopa_row("sopa whole", sizes.seams, 0),
        *(_sopa_row(f"sopa {block_px}", sizes.seams, block_px) for block_px in SEAM_BLOCKS_PX),
        _sopa_row("sopa large", sizes.sopa, BLOCK_PX),
        _sopa_row("sopa transcripts", sizes.seams, BLOCK_PX, transcripts=True),
        *_path("isthmus for sopa", sizes.sopa, BLOCK_PX, expand_um=0.0),
        _sopa_row("sopa xenium whole", "xenium", 0),
        _sopa_row("sopa xenium", "xenium", BLOCK_PX),
    ]
    made += _path("isthmus xenium", "xenium", BLOCK_PX, expand_um=0.0, score=True)
    return made + [
        Row(f"conflicts {n}", "peers_sopa:resolve_alone", {"n_cells": n}, "sopa") for n in sizes.conflicts
    ]


def _sopa_row(key: str, image: str, patch_px: int, *, transcripts: bool = False) -> Row:
    """Sopa in patches, or in one patch (0), which those in patches are compared with."""
    arguments = {"image": image, "patch_px": patch_px, "overlap_px": 50 if patch_px else 0}
    return Row(key, "peers_sopa:segment", {**arguments, "transcripts": transcripts}, "sopa")


def _curve(sizes: Sizes) -> list[Row]:
    made = []
    for side in sizes.curve:
        made += _path(f"curve {side}", f"tissue-{side}", BLOCK_PX)
        if side <= sizes.whole_tools:
            arguments = {"image": f"tissue-{side}", "how": "same"}
            made.append(Row(f"curve skimage {side}", "peers_skimage:segment_whole", arguments))
    return made


def _transcripts(sizes: Sizes) -> list[Row]:
    return [
        Row(f"transcripts {order}", "ours_transcripts:count", {"million": sizes.million, "order": order})
        for order in ("spatial", "random")
    ]


def _whole_runs(sizes: Sizes) -> list[Row]:
    made = [Row("run tissue", "ours_run:tissue", {"image": sizes.sopa, "block_px": BLOCK_PX})]
    return made if sizes == QUICK else [*made, Row("run demo", "ours_run:demo")]
