"""Global statistics of one channel, from its exact level-0 histogram: the same however the image was cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ChannelSurvey:
    """The histogram of a channel: pixels of each value from 0 to 65535."""

    histogram: npt.NDArray[np.int64]

    @property
    def n_pixels(self) -> int:
        """Pixels in all."""
        return int(self.histogram.sum())

    def percentile(self, q: float) -> int:
        """The smallest value that at least q per cent of the pixels do not exceed."""
        wanted = max(1, ceil(self.n_pixels * q / 100))
        return int(np.searchsorted(np.cumsum(self.histogram), wanted))

    def background(self) -> int:
        """The most frequent value among those not above the median; the smallest of them if there are several.

        Where most of an image is empty, this is the peak of its background; unlike a percentile it does not move with
        how much of the image is tissue.
        """
        return int(np.argmax(self.histogram[: self.percentile(50) + 1]))

    def summary(self, percentiles: Iterable[float]) -> dict[str, object]:
        """Smallest, largest and mean value, and percentiles."""
        present = np.flatnonzero(self.histogram)
        total = int((self.histogram * np.arange(self.histogram.size)).sum())
        return {
            "n_pixels": self.n_pixels,
            "min": int(present[0]),
            "max": int(present[-1]),
            "mean": total / self.n_pixels,
            "percentiles": {f"{q:g}": self.percentile(q) for q in percentiles},
        }
