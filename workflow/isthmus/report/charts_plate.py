"""A plate as a picture: a square a well, in the colours of a diverging scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup, escape

from isthmus.report.colours import diverging, is_dark
from isthmus.report.text import number

_LEFT, _TOP = 26, 22
_LARGEST, _SMALLEST, _WIDTH = 44, 9, 420
_TOLD = 30
"""Edge of a square from which on its value is written in it."""


def plate_chart(
    obs: pd.DataFrame,
    ratio: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    *,
    limit: float,
    words: str,
) -> Markup:
    """Draw the wells in the rows and columns that the plate has.

    Parameters
    ----------
    obs
        Index: wells; columns `row` and `column`.
    ratio
        What colours them, from -limit (blue) over 0 (white) to limit (orange); NaN is grey.
    values
        What is told of them.
    """
    rows = sorted(set(obs["row"].astype(str)), key=lambda name: (len(name), name))
    columns = sorted(set(obs["column"].astype(str)), key=int)
    cell = max(_SMALLEST, min(_LARGEST, _WIDTH // max(1, len(columns))))
    parts = []
    for j, name in enumerate(columns):
        parts.append(_text(_LEFT + (j + 0.5) * cell, _TOP - 6, name, "middle"))
    for i, name in enumerate(rows):
        parts.append(_text(_LEFT - 6, _TOP + (i + 0.5) * cell + 4, name, "end"))
    places = zip(obs.index, obs["row"].astype(str), obs["column"].astype(str), ratio, values, strict=True)
    for well, row, column, log2, value in places:
        x, y = _LEFT + columns.index(column) * cell, _TOP + rows.index(row) * cell
        is_known = bool(np.isfinite(log2))
        colour = diverging(float(log2), limit) if is_known else "#d9d9d9"
        told = number(float(value)) if np.isfinite(value) else "no cells"
        parts.append(
            f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" fill="{colour}">'
            f"<title>{escape(str(well))}: {escape(told)}</title></rect>"
        )
        if cell >= _TOLD and is_known:
            style = "on-dark tiny" if is_dark(colour) else "on-light tiny"
            parts.append(_text(x + (cell - 1) / 2, y + cell / 2 + 3.5, told, "middle", style))
    width, height = _LEFT + len(columns) * cell + 2, _TOP + len(rows) * cell + 2
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(words)}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str, style: str = "row") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
