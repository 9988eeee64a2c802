"""Colours that stay with their meaning on the whole page, and that people with colour vision deficiency can part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NUCLEUS = "#35d0ff"
CELL = "#ffa21f"
"""Outlines: light blue and orange keep apart in every common kind of colour vision, on grey and on black."""

UNASSIGNED = "unassigned"
UNASSIGNED_COLOUR = "#b4b8bf"
FAILED_COLOUR = "#e6e8eb"

# The first six are Okabe and Ito's. The others were found one by one as the farthest (CIE Lab) from all before, from
# grey and from white, in normal vision and in simulated deuteranopia and protanopia (doi:10.1109/TVCG.2009.113), and
# then ordered so that very dark and very light ones come late.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    *("#5a2d5a", "#e1004b", "#2d693c", "#4b87ff", "#d2964b", "#002db4"),
    *("#e1d287", "#692d0f", "#96e14b", "#007878", "#a53c0f", "#96b478"),
    *("#5aa5ff", "#1e3c96", "#5a5a87", "#4be1ff", "#005ae1", "#f0c3a5"),
)

COMPARTMENT_COLOURS = {"nucleus": "#0072b2", "cytoplasm": "#e69f00", "none": "#c3c7cd"}
CHANNEL_COLOURS = ((90, 140, 255), (255, 90, 200), (120, 230, 90), (255, 190, 60))
"""Of the channels of a composite, added up; the one that shows the nuclei comes first."""


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in their order; 'unassigned' is grey and takes no place.

    The names must be all that could occur, so that two runs with one reference agree. Colours repeat after 24.
    """
    coloured = [name for name in names if name != UNASSIGNED]
    found = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(coloured)}
    if UNASSIGNED in names:
        found[UNASSIGNED] = UNASSIGNED_COLOUR
    return found


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green, blue, 0 to 255."""
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))


def diverging(value: float, limit: float) -> str:
    """Blue below 0, white at 0, orange above, full at the limit."""
    share = max(-1.0, min(1.0, value / limit)) if limit > 0 else 0.0
    end = rgb("#c8500a" if share > 0 else "#0b5a9e")
    return _hex(round(255 + (c - 255) * abs(share)) for c in end)


def is_dark(colour: str) -> bool:
    """Whether white text reads better on it than black."""
    red, green, blue = rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


def _hex(parts: Iterable[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in parts)
