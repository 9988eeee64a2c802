"""The charts of docs/benchmarks.md as SVG, the same bytes for the same results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.figures import Figures

_OURS, _PEER, _GREY = "#0b6e99", "#c8553d", "#8a8f98"


def draw(folder: Path, figures: Figures) -> list[str]:
    """Draw what there are results for; returns the names of the files, without their ending."""
    import matplotlib as mpl

    mpl.use("Agg")
    style = {"svg.fonttype": "none", "svg.hashsalt": "isthmus", "font.size": 10, "axes.spines.top": False}
    with mpl.rc_context({**style, "axes.spines.right": False}):
        return [
            name for name, make in (("bench_curve", _curve), ("bench_sopa", _sopa)) if make(folder, figures)
        ]


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    # matplotlib ends lines of paths with a blank
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


def _curve(folder: Path, f: Figures) -> bool:
    import matplotlib.pyplot as plt

    points = [(side, one) for side in f.sizes.curve if (one := f.curve(side))]
    if len(points) < 2:
        return False
    peers = [(side, one) for side in f.sizes.curve if (one := f.total(f"curve skimage {side}"))]
    sides = [side for side, _ in points]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    for name, label, style in (
        ("worker_mb", "Isthmus, a worker", "o-"),
        ("stitch_mb", "Isthmus, stitching", "s--"),
        ("table_mb", "Isthmus, joining sums", "^:"),
        ("outlines_mb", "Isthmus, outlines", "v-."),
    ):
        left.plot(sides, [one[name] for _, one in points], style, color=_OURS, label=label)
    left.set_title("Peak memory, MB", loc="left")
    right.plot(
        sides, [1 / one["speed"] for _, one in points], "o-", color=_OURS, label="Isthmus, both passes"
    )
    if peers:
        size = [side for side, _ in peers]
        left.plot(size, [one["peak_mb"] for _, one in peers], "D-", color=_PEER, label="scikit-image")
        cost = [one["core_cpu_s"] / f.megapixels(f"tissue-{side}") for side, one in peers]
        right.plot(size, cost, "D-", color=_PEER, label="scikit-image, segmentation only")
    right.set_title("CPU seconds per megapixel", loc="left")
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(sides, [f"{side // 1024}k" for side in sides])
        axis.set_xlabel("pixels a side")
        axis.grid(axis="y", color="#e4e6ea", linewidth=0.6)
        axis.legend(frameon=False, fontsize=8)
    _save(figure, folder / "bench_curve.svg")
    plt.close(figure)
    return True


def _sopa(folder: Path, f: Figures) -> bool:
    import matplotlib.pyplot as plt

    rows = [
        (name, one)
        for name, key in (("Sopa", "sopa large"), ("Isthmus", "isthmus for sopa"))
        if (one := f.sopa(key))
    ]
    if len(rows) < 2:
        return False
    figure, axis = plt.subplots(figsize=(9, 1.7))
    names = [name for name, _ in rows]
    user = [one["user"] for _, one in rows]
    axis.barh(names, user, color=_GREY, label="the per-patch function, the same on both sides")
    rest = [one["rest"] for _, one in rows]
    colours = [_PEER, _OURS]
    axis.barh(names, rest, left=user, color=colours)
    for place, (_, one) in enumerate(rows):
        text = f" {one['core']:.1f} s, of which the function {one['user']:.1f} s"
        axis.text(one["core"], place, text, va="center", fontsize=9)
    axis.set_xlim(0, 1.35 * max(one["core"] for _, one in rows))
    axis.invert_yaxis()
    axis.set_title(
        f"CPU seconds, {f.sizes.sopa}, 4 channels, the same function on patches", loc="left", fontsize=10
    )
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    _save(figure, folder / "bench_sopa.svg")
    plt.close(figure)
    return True
