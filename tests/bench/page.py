"""docs/benchmarks.md from the results: tables of what was measured, ratios, what was asked, what failed and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import about, charts
from bench.figures import Figures
from bench.notes import HEAD, NOTES
from bench.rows import SEAM_BLOCKS_PX, Sizes
from bench.text import number, table


def write(folder: Path, results: dict[str, Any], sizes: Sizes) -> None:
    """Write the page and its charts."""
    figures = Figures(results, sizes)
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    drawn = charts.draw(images, figures)
    parts = [HEAD.format(**about.about(results, figures)), about.asked(figures)]
    parts += [_seams(figures), _whole(figures), _speed(figures), _statistics(figures), _sopa(figures)]
    parts += [
        _transcripts(figures),
        _curve(figures, drawn),
        _demo(figures),
        NOTES.format(seams=sizes.seams, whole_tools=sizes.whole_tools),
        _failed(figures),
        _not_run(figures),
        _versions(results),
    ]
    (folder / "benchmarks.md").write_text(
        "\n".join(part.rstrip("\n") + "\n" for part in parts if part), "utf-8"
    )


def _seams(f: Figures) -> str:
    rows = []
    for block_px in SEAM_BLOCKS_PX:
        for title, key in (
            ("Isthmus, both passes, statistics, outlines", "isthmus {}"),
            ("blocks without halo", "no halo {}"),
            ("blocks with halo, cut, not joined", "halo, cut {}"),
            ("bioimage-py stitch_segmentation", "bioimage-py {}"),
            ("dask map_overlap, dask-image label", "dask-image {}"),
        ):
            rows.append([title, str(block_px), *_cost(f, key.format(block_px))])
    for title, key, size in [("Sopa, one patch", "sopa whole", "whole")] + [
        ("Sopa, patches with 50 px overlap", f"sopa {size}", str(size)) for size in SEAM_BLOCKS_PX
    ]:
        rows.append([title, size, *_cost(f, key)])
    halo = f.values(f"method {f.sizes.seams}").get("halo_px", "some")
    text = (
        f"## Cutting the image: the same per-patch function everywhere\n\nImage `{f.sizes.seams}`, with a halo of "
        f"{halo} pixels where there is one. *Wrong*: objects of the whole image's result that do not come out with "
        "exactly the same pixels (for Sopa, whose outlines are smoothed: within 5 %, against Sopa's own result in one "
        "patch; for dask-image: connected foreground).\n\n"
    )
    head = ["method", "block px", "CPU s", "with start", "peak MB", "files", "objects", "wrong", "F1"]
    return text + table(head, rows)


def _cost(f: Figures, key: str) -> list[str]:
    one = f.total(key)
    if one is None:
        return [*["-"] * 6, f"failed: {f.reason(key)}" if f.reason(key) else "-"]
    return [
        number(one["core_cpu_s"]),
        number(one["cpu_s"]),
        number(one["peak_mb"]),
        number(one["files"]),
        number(one.get("objects")),
        number(one.get("wrong")),
        number(one.get("f1"), 3),
    ]


def _whole(f: Figures) -> str:
    rows = [["Isthmus, whole image at once", *_quality(f, f"oracle {f.sizes.seams}")]]
    for title, key in (
        ("scikit-image, same operator as far as it goes", "skimage same"),
        ("scikit-image, local threshold, distance watershed", "skimage local"),
        ("scikit-image, Otsu, distance watershed", "skimage otsu"),
    ):
        rows.append([title, *_quality(f, key)])
    text = f"## Segmentation alone, the whole image in memory\n\nImage `{f.sizes.seams}`.\n\n"
    return text + table(["method", "CPU s", "MPix / CPU s", "peak MB", "objects", "F1 at 0.5"], rows)


def _quality(f: Figures, key: str) -> list[str]:
    one = f.total(key)
    if one is None:
        return ["-"] * 5
    speed = f.megapixels(f.sizes.seams) / one["core_cpu_s"]
    return [
        number(one["core_cpu_s"]),
        number(speed),
        number(one["peak_mb"]),
        number(one["objects"]),
        number(one["f1"], 3),
    ]


def _speed(f: Figures) -> str:
    rows = []
    for image, block_px, stage in f.paths():
        one = f.path(image, block_px, stage)
        if one is None:
            continue
        phases = ", ".join(
            f"{name} {number(1000 * s / f.megapixels(image), 1)}" for name, s in one["phases"].items()
        )
        rows.append([image, str(block_px), stage, number(one["core_cpu_s"]), phases, number(one["peak_mb"])])
    head = ["image", "block px", "stage", "CPU s", "of which, ms per MPix", "worker, peak MB"]
    text = "## Where the time of both passes goes\n\nOne worker, four channels, disk included.\n\n"
    return text + table(head, rows) + _memory(f)


def _memory(f: Figures) -> str:
    rows = []
    for image, block_px, what, one in f.memory():
        speed, read = number(one["mpix"] / one["core_cpu_s"], 1), number(one["read_factor"])
        parts = ", ".join(f"{name} {number(1000 * s / one['mpix'], 1)}" for name, s in one["phases"].items())
        rows.append([image, str(block_px), what, speed, read, parts])
    head = ["image", "block px", "statistics", "all, MPix / CPU s", "read a pixel", "parts, ms per MPix"]
    text = (
        "\nDecoded blocks in memory, steady state: the same code, arrays in place of stored levels "
        '(`make bench BENCH="--only memory"`). Blocks with halo on all sides count, or all but the first. '
        "*Read and write*, here copying, *growth* and *outlines* are not in the speed. What was asked, above, is "
        "*landscape*, *forest* and the statistics alone; here records and final labels count too.\n\n"
    )
    return text + table(head, rows)


def _statistics(f: Figures) -> str:
    rows = [["Isthmus, nuclei", title, number(speed)] for title, speed in f.given_nuclei()]
    rows += [[title, what, number(f.cells_per_s(key))] for title, what, key in f.measured()]
    text = (
        f"## Measuring cells: four channels, cells per CPU second\n\nLabels given; image `{f.sizes.statistics}`, for "
        f"Isthmus `{f.sizes.throughput}` in blocks of 1024 pixels, all blocks joined. "
        "The libraries measure different things; the second column says which.\n\n"
    )
    return text + table(["library", "what", "cells / CPU s"], rows)


def _sopa(f: Figures) -> str:
    rows = []
    large, small = f.sizes.sopa, f.sizes.seams
    for title, image, key in (
        ("Isthmus, blocks of 1024 px", large, "isthmus for sopa"),
        ("Sopa, patches of 1024 px", large, "sopa large"),
        ("Sopa, patches of 1024 px", small, "sopa 1024"),
        ("Sopa, patches of 1024 px, and transcripts", small, "sopa transcripts"),
        ("Sopa, one patch", small, "sopa whole"),
    ):
        one = f.sopa(key)
        cells = [number(one.get(name)) if one else "-" for name in ("core", "user", "rest", "cells")]
        rows.append([title, image, *cells])
    text = (
        "## Sopa with the same per-patch function\n\nFour channels, no growth of nuclei. "
        "The function is Isthmus's own operator on a patch. Import and making of the input object are not counted on "
        "either side; both make polygons.\n\n"
    )
    text += table(["", "image", "core CPU s", "of which the function", "the rest", "cells"], rows)
    detail = [[name, number(seconds)] for name, seconds in f.sopa_phases()]
    if detail:
        text += f"\nThe parts of Sopa on `{large}`:\n\n" + table(["part", "CPU s"], detail)
    conflicts = [[f"{n:,}", number(f.core(f"conflicts {n}"))] for n in f.sizes.conflicts]
    text += "\nIts conflict resolution alone, every tenth cell found twice:\n\n"
    return text + table(["cells", "CPU s"], conflicts)


def _transcripts(f: Figures) -> str:
    rows = [
        [order, name, number(seconds)]
        for order in ("spatial", "random")
        for name, seconds in f.values(f"transcripts {order}").get("phases", {}).items()
    ]
    if not rows:
        return ""
    rows.append(
        [
            "spatial",
            f"Sopa's aggregation of genes and channels on `{f.sizes.seams}`, see above",
            number(f.sopa_aggregation()),
        ]
    )
    text = (
        f"## Transcripts\n\nIsthmus, {f.sizes.million} million rows in Parquet, 132,496 cells, integer genes; "
        "a process a stage.\n\n"
    )
    return text + table(["order", "stage", "CPU s"], rows)


def _curve(f: Figures, drawn: list[str]) -> str:
    rows = []
    for side in f.sizes.curve:
        one = f.curve(side)
        cells = ["speed", "worker_mb", "stitch_mb", "table_mb", "outlines_mb", "files", "cells"]
        row = [number(one.get(name)) if one else "-" for name in cells]
        peer = f.total(f"curve skimage {side}")
        rows.append([f"{side:,}", *row, number(peer["peak_mb"]) if peer else "-"])
    head = [
        "pixels a side",
        "MPix / CPU s",
        "worker MB",
        "stitching MB",
        "joining sums MB",
        "outlines MB",
        "files",
        "cells",
    ]
    head.append("scikit-image MB")
    text = (
        "## Cost by image size\n\nEverything from pass 1 to outlines, disk included, one worker, blocks of 1024 "
        "pixels. Largest memory of the worker, of `stitch_labels`, of the join of the sums, of `build_outlines`, "
        "and of scikit-image with the same operator on the whole image.\n\n"
    )
    return text + table(head, rows) + "".join(f"\n![{name}](images/{name}.svg)\n" for name in drawn)


def _demo(f: Figures) -> str:
    rows = []
    for title, key in (("Isthmus", "isthmus xenium"), ("Sopa, patches of 1024 px", "sopa xenium")):
        one = f.sopa(key)
        total = f.total(key)
        cost = [number(one.get(name)) if one else "-" for name in ("core", "user", "rest", "cells")]
        tail = [number(total.get(name)) if total else "-" for name in ("peak_mb", "files", "wrong")]
        rows.append([title, *cost, *tail])
    head = ["", "core CPU s", "of which the function", "the rest", "cells", "peak MB", "files", "wrong"]
    text = "## The demo's data: a Xenium crop, DAPI, 0.2125 um\n\n" + table(head, rows)
    for key, name in (("run demo", "the demo"), ("run tissue", f"`{f.sizes.sopa}` with transcripts")):
        phases = f.values(key).get("phases")
        if phases:
            rules = [[rule, number(seconds)] for rule, seconds in phases.items()]
            text += (
                f"\nA whole run of {name}, `isthmus run`, CPU seconds by rule (start of Python included):\n\n"
            )
            text += table(["rule", "CPU s"], rules)
    return text


def _failed(f: Figures) -> str:
    rows = [[key, reason] for key, reason in f.failed()]
    return "## Rows without a result\n\n" + table(["row", "reason"], rows) if rows else ""


def _not_run(f: Figures) -> str:
    keys = f.not_run()
    return "## Rows that were not run\n\n" + ", ".join(f"`{key}`" for key in keys) + "\n" if keys else ""


def _versions(results: dict[str, Any]) -> str:
    names = {"": "Isthmus, scikit-image", "blocks": "bench-blocks", "sopa": "bench-sopa"}
    rows = [
        [names[name], ", ".join(f"{one} {other}" for one, other in versions.items()) or "-"]
        for name, versions in results.get("about", {}).get("environments", {}).items()
    ]
    return "## Versions\n\n" + table(["environment", "libraries"], rows)
