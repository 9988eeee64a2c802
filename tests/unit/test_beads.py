"""Real beads of a plate of ImageXpress: nuclei found by `basins` against spots found by another method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from shared_data import shared
from skimage.feature import blob_log

from isthmus.blocks.grid import Region
from isthmus.config.models import Settings
from isthmus.config.samples import Sample
from isthmus.image.survey import ChannelSurvey
from isthmus.readers.registry import read_sample
from isthmus.segment.forest import grow_forest
from isthmus.segment.methods import make_method, min_area_px

SIDE = 512
WHOLE = Region((0, 0, 0), (1, SIDE, SIDE))
SPACING = (1.0, 1.3668, 1.3668)
CULTURE = {"samples": "s.tsv", "segmentation": {"basins": {"preset": "culture", "nucleus_diameter_um": 12.0}}}


@pytest.fixture(scope="module")
def fields() -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint16]]]:
    """The instrument's projection of wavelength 1 in both fields."""
    plate = shared("hcs_imagexpress_beads/Projection-Mix")
    parts = read_sample(Sample(sample="b", image=plate, reader="imagexpress"))
    return [image.part.open().read(0, WHOLE.slices)[0].astype(np.uint16) for image in parts.images]


def _ours(fields) -> list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Centres (y, x) of the nuclei of each field, thresholds from both."""
    survey = ChannelSurvey(sum(np.bincount(field.ravel(), minlength=65_536) for field in fields))
    options = Settings.model_validate(CULTURE).segmentation
    method = make_method(options, channels=["w1"], surveys=[survey], spacing_um=SPACING)
    least = min_area_px(options, spacing_um=SPACING, is_volume=False)
    found = []
    for field in fields:
        labels, roots, _ = grow_forest(
            method.landscape(field[np.newaxis]),
            read=WHOLE,
            write=WHOLE,
            image_shape=WHOLE.shape,
            merge_radius_px=method.merge_radius_px,
        )
        areas = np.bincount(labels.ravel(), minlength=roots.size + 1)[1:]
        centres = [np.argwhere(labels[0] == k + 1).mean(axis=0) for k in np.flatnonzero(areas >= least)]
        found.append(np.array(centres))
    return found


def test_beads_are_counted_as_a_laplacian_of_gaussian_counts_them(fields) -> None:
    """Spots of scikit-image's blob_log at 3 % of the brightest bead, within a bead's radius of ours."""
    for field, ours in zip(fields, _ours(fields), strict=True):
        bright = field - float(np.median(field))
        spots = blob_log(bright / bright.max(), min_sigma=1, max_sigma=6, num_sigma=6, threshold=0.03)[:, :2]
        assert abs(len(ours) - len(spots)) <= 0.1 * len(spots)
        near, _ = cKDTree(ours).query(spots)
        assert (near < 6).mean() > 0.9, "pixels: half a bead"
        back, _ = cKDTree(spots).query(ours)
        assert (back < 6).mean() > 0.9
