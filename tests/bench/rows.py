"""The rows of the benchmark, in the order in which they run. A row's key names it in the page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

BLOCK_PX, LARGE_PX = 1024, 2048
"""Edge of a block: the product's default, and one that loses less to halos."""
SEAM_BLOCKS_PX = (512, 1024)


@dataclass(frozen=True)
class Row:
    """One process: `module:function` of this package and its arguments; repeats keep the one that cost least."""

    key: str
    target: str
    arguments: dict[str, Any] = field(default_factory=dict)
    environment: str = ""
    repeats: int = 1


@dataclass(frozen=True)
class Sizes:
    """Which images are used.

    seams, statistics
        Image for blocks against the whole, and for measuring given cells.
    sopa
        Image for Sopa.
    throughput, fine
        Images for the speed of the passes, at 0.5 and 0.2125 um.
    curve
        Pixels a side of the cost curve.
    whole_tools
        Pixels a side up to which whole-image tools take part in the curve.
    """

    seams: str = "tissue-2048"
    statistics: str = "tissue-2048"
    sopa: str = "tissue-4096"
    throughput: str = "tissue-4096"
    fine: str = "fine-4096"
    curve: tuple[int, ...] = (1024, 4096, 8192, 16384)
    whole_tools: int = 8192
    conflicts: tuple[int, ...] = (10_000, 40_000, 160_000)

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
)


def rows(sizes: Sizes, *, quick: bool = False) -> list[Row]:
    """All rows."""
    made = [*_prepared(sizes), *_seams(sizes), *_sopa(sizes), *_statistics(sizes)]
    made += [
        Row("dsb", "limits:expert_outlines"),
        Row("codecs", "limits:codecs", {"image": sizes.throughput}),
    ]
    made += [
        Row("import", "ours:import_and_first", {}, repeats=3),
        *_throughput(sizes, repeats=1 if quick else 2),
    ]
    made += [*_curve(sizes), *_transcripts(quick), *_whole_runs(sizes, quick=quick)]
    return [replace(row, repeats=1) for row in made] if quick else made


def _prepared(sizes: Sizes) -> list[Row]:
    made = []
    for image in sizes.images:
        made.append(Row(f"prepare {image}", "data:prepare", {"image": image}))
        made.append(Row(f"method {image}", "ours:prepare_method", {"image": image}))
    # compiled once for each environment, so that no row that counts pays for it
    made += _path("warm", "tissue-1024", 512)
    with_oracle = dict.fromkeys([sizes.seams, sizes.statistics, sizes.sopa, sizes.throughput, "xenium"])
    return made + [
        Row(f"oracle {image}", "ours:whole_image", {"image": image}, repeats=2) for image in with_oracle
    ]


def _path(
    name: str, image: str, block_px: int, *, expand_um: float | None = None, score: bool = False
) -> list[Row]:
    """Both passes and what lies between and after them, each in its own process."""
    arguments = {"image": image, "block_px": block_px, "expand_um": expand_um}
    return [
        Row(f"{name}: pass 1", "ours:first_pass", arguments),
        Row(f"{name}: stitching", "ours:stitch_blocks", arguments),
        Row(f"{name}: pass 2", "ours:second_pass", arguments),
        Row(f"{name}: table", "ours:join_sums", {**arguments, "score": score}),
        Row(f"{name}: outlines", "ours:write_outlines", arguments),
    ]


def _seams(sizes: Sizes) -> list[Row]:
    image, made = sizes.seams, []
    for block_px in SEAM_BLOCKS_PX:
        cut = {"image": image, "block_px": block_px}
        made += [
            *_path(f"isthmus {block_px}", image, block_px, score=True),
            Row(f"no halo {block_px}", "peers_blocks:cut", {**cut, "with_halo": False}),
            Row(f"halo, cut {block_px}", "peers_blocks:cut", {**cut, "with_halo": True}),
            Row(f"bioimage-py {block_px}", "peers_blocks:bioimage_stitch", cut, "blocks", 2),
            Row(f"dask-image {block_px}", "peers_blocks:dask_label", cut, "blocks", 2),
        ]
    for how in ("otsu", "local", "same"):
        made.append(Row(f"skimage {how}", "peers_skimage:segment_whole", {"image": image, "how": how}))
    return made


def _throughput(sizes: Sizes, repeats: int) -> list[Row]:
    made = []
    for image in (sizes.throughput, sizes.fine):
        for repeat in range(1, repeats + 1):
            for block_px in (BLOCK_PX, LARGE_PX):
                made += _path(f"{image} {block_px} #{repeat}", image, block_px)
    return made


def _statistics(sizes: Sizes) -> list[Row]:
    image = {"image": sizes.statistics}
    return [
        Row("regionprops basic", "measuring:regionprops", {**image, "shape": False}),
        Row("regionprops shape", "measuring:regionprops", {**image, "shape": True}),
        Row("bincount", "measuring:scipy_sums", image),
        Row("cp_measure", "measuring:cp_measure", {**image, "accelerated": False}, "blocks"),
        Row("cp_measure numba", "measuring:cp_measure", {**image, "accelerated": True}, "blocks", 2),
        Row("dask-image mean", "measuring:dask_image", image, "blocks"),
        Row("bioimage-py morphology", "measuring:bioimage_regionprops", image, "blocks"),
        Row("spatialdata aggregate", "measuring:spatialdata_aggregate", image, "sopa"),
        Row("squidpy features", "measuring:squidpy_features", image, "sopa"),
    ]


def _sopa(sizes: Sizes) -> list[Row]:
    whole = {"image": sizes.sopa, "patch_px": 0, "overlap_px": 0}
    made = [Row("sopa whole", "peers_sopa:segment", whole, "sopa")]
    for block_px in SEAM_BLOCKS_PX:
        cut = {**whole, "patch_px": block_px, "overlap_px": 50}
        made.append(Row(f"sopa {block_px}", "peers_sopa:segment", cut, "sopa"))
    made.append(Row("sopa transcripts", "peers_sopa:segment", {**cut, "transcripts": True}, "sopa"))
    made += _path("isthmus for sopa", sizes.sopa, BLOCK_PX, expand_um=0.0)
    made.append(Row("sopa xenium whole", "peers_sopa:segment", {**whole, "image": "xenium"}, "sopa"))
    made.append(Row("sopa xenium", "peers_sopa:segment", {**cut, "image": "xenium"}, "sopa"))
    made += _path("isthmus xenium", "xenium", BLOCK_PX, expand_um=0.0, score=True)
    return made + [
        Row(f"conflicts {n}", "peers_sopa:resolve_alone", {"n_cells": n}, "sopa") for n in sizes.conflicts
    ]


def _curve(sizes: Sizes) -> list[Row]:
    made = []
    for side in sizes.curve:
        made += _path(f"curve {side}", f"tissue-{side}", BLOCK_PX)
        if side <= sizes.whole_tools:
            arguments = {"image": f"tissue-{side}", "how": "same"}
            made.append(Row(f"curve skimage {side}", "peers_skimage:segment_whole", arguments))
    return made


def _transcripts(quick: bool) -> list[Row]:
    million = 1 if quick else 10
    return [
        Row(f"transcripts {order}", "ours_transcripts:count", {"million": million, "order": order}, repeats=2)
        for order in ("spatial", "random")
    ]


def _whole_runs(sizes: Sizes, *, quick: bool) -> list[Row]:
    made = [Row("run tissue", "ours_run:tissue", {"image": sizes.sopa, "block_px": BLOCK_PX})]
    return made if quick else [*made, Row("run demo", "ours_run:demo")]
