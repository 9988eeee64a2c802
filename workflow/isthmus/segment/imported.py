"""What ids an imported label image may have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Triple
from isthmus.errors import UserError

MAX_ID = int(np.iinfo(np.int64).max)


def check_ids(pixels: npt.NDArray[Any], start: Triple, where: str) -> None:
    """Refuse ids below 0 or above MAX_ID, which could not be kept as they are.

    Parameters
    ----------
    pixels
        Ids (z, y, x) of a part of a label image, any integers or bool.
    start
        Where in the label image the part begins, (z, y, x), for the message.
    where
        What the label image is called in the message.

    Raises
    ------
    UserError
        With the first such id in row-major order and its place.
    """
    if not pixels.size or pixels.dtype.kind not in "iu":
        return
    negative = pixels.dtype.kind == "i" and int(pixels.min()) < 0
    if not negative and int(pixels.max()) <= MAX_ID:
        return
    wrong = pixels < 0 if negative else pixels > np.uint64(MAX_ID)
    place = np.unravel_index(int(np.argmax(wrong)), pixels.shape)
    z, y, x = (int(at) + first for at, first in zip(place, start, strict=True))
    raise UserError(
        where=where,
        found=f"the label image has the id {int(pixels[place])} at z {z}, y {y}, x {x}",
        do="make the background 0 and number instances from 1"
        if negative
        else f"keep ids below {MAX_ID + 1}",
    )
