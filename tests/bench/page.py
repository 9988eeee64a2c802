"""docs/benchmarks.md from the results: tables of what was measured, ratios, what was asked, what failed and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import charts
from bench.figures import Figures
from bench.notes import HEAD, NOTES
from bench.rows import SEAM_BLOCKS_PX, Sizes

Cells = Sequence[str]


def table(head: Cells, rows: Sequence[Cells]) -> str:
    """A Markdown table; a row of another length is a fault."""
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells under {len(head)} headings: {row}")
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


def number(value: float | int | None, digits: int = 2) -> str:
    """A number for a table: enough digits and no more; a dash for what was not measured."""
    if value is None:
        return "-"
    if isinstance(value, int) or value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.{digits}f}"


def write(folder: Path, results: dict[str, Any], sizes: Sizes, *, command: str) -> None:
    """Write the page and its charts."""
    figures = Figures(results, sizes)
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    drawn = charts.draw(images, figures)
    parts = [HEAD.format(command=command, **_about(results)), _asked(figures)]
    parts += [_seams(figures), _whole(figures), _speed(figures), _statistics(figures), _sopa(figures)]
    parts += [
        _transcripts(figures),
        _curve(figures, drawn),
        _demo(figures),
        NOTES,
        _failed(figures),
        _versions(results),
    ]
    (folder / "benchmarks.md").write_text(
        "\n".join(part.rstrip("\n") + "\n" for part in parts if part), "utf-8"
    )


def _about(results: dict[str, Any]) -> dict[str, str]:
    about = results.get("about", {})
    quick = " (small images: a trial of the benchmark, not a result)" if about.get("quick") else ""
    return {"date": about.get("date", "unknown"), "machine": about.get("machine", "unknown"), "quick": quick}


def _asked(f: Figures) -> str:
    rows = []
    for name, goal, value, digits in f.asked():
        met = "-" if value is None else ("yes" if goal.met(value) else "**no**")
        rows.append([name, goal.text, number(value, digits), met])
    return "## What was asked\n\n" + table(["figure", "goal", "measured", "met"], rows)


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
        rows.append([f"{title} ({f.sizes.sopa})", size, *_cost(f, key)])
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
    return "## Where the time of both passes goes\n\nOne worker, four channels, disk included.\n\n" + table(
        head, rows
    )


def _statistics(f: Figures) -> str:
    rows = [[title, what, number(f.cells_per_s(key))] for title, what, key in f.measured()]
    text = (
        f"## Measuring cells: four channels, cells per CPU second\n\nImage `{f.sizes.statistics}`, labels given. "
        "The libraries measure different things; the second column says which.\n\n"
    )
    return text + table(["library", "what", "cells / CPU s"], rows)


def _sopa(f: Figures) -> str:
    rows = []
    for title, key in (
        ("Sopa, patches of 1024 px", "sopa 1024"),
        ("Sopa, one patch", "sopa whole"),
        ("Sopa, patches of 1024 px, and transcripts", "sopa transcripts"),
        ("Isthmus, blocks of 1024 px", "isthmus for sopa"),
    ):
        one = f.sopa(key)
        rows.append(
            [title, *(number(one.get(name)) if one else "-" for name in ("core", "user", "rest", "cells"))]
        )
    text = (
        f"## Sopa with the same per-patch function\n\nImage `{f.sizes.sopa}`, four channels, no growth of nuclei. "
        "The function is Isthmus's own operator on a patch. Import and making of the input object are not counted on "
        "either side; both make polygons.\n\n"
    )
    text += table(["", "core CPU s", "of which the function", "the rest", "cells"], rows)
    detail = [[name, number(seconds)] for name, seconds in f.sopa_phases()]
    if detail:
        text += "\nThe parts of Sopa (patches of 1024 px):\n\n" + table(["part", "CPU s"], detail)
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
            "Sopa's aggregation of cells, genes and channels, see above",
            number(f.sopa_aggregation()),
        ]
    )
    text = "## Transcripts\n\nIsthmus, 10 million rows in Parquet, 132,496 cells, integer genes; a process a stage.\n\n"
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
        tail = [number(total[name]) if total else "-" for name in ("peak_mb", "files", "wrong")]
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


def _versions(results: dict[str, Any]) -> str:
    names = {"": "Isthmus, scikit-image", "blocks": "bench-blocks", "sopa": "bench-sopa"}
    rows = [
        [names[name], ", ".join(f"{one} {other}" for one, other in versions.items()) or "-"]
        for name, versions in results.get("about", {}).get("environments", {}).items()
    ]
    return "## Versions\n\n" + table(["environment", "libraries"], rows)
