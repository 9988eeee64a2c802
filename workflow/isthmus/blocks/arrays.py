"""Named arrays as bytes, for records that go through files and between processes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt


def arrays_to_bytes(arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """Pack named arrays."""
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def arrays_from_bytes(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Unpack named arrays."""
    with np.load(BytesIO(data), allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}
