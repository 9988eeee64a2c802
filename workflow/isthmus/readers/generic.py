"""Any image and any table of transcripts, with their places given by the sample sheet or by the image itself.

Tested on real files: the Xenium crop of `isthmus fetch xenium_breast_small`, OME-Zarr and TIFF images.
"""

from __future__ import annotations

from isthmus.config.samples import Sample
from isthmus.image.open import open_image
from isthmus.image.source import SampleParts, all_tested
from isthmus.image.steps import in_steps
from isthmus.image.tiff import Pages
from isthmus.readers.columns import accepted_names
from isthmus.readers.image_sets import find_image_set, read_image_set
from isthmus.readers.label_images import labels_of
from isthmus.readers.place import place, required_image, z_step_um
from isthmus.readers.points import open_points
from isthmus.readers.polygons import is_polygons, open_polygons


def read_generic(sample: Sample) -> SampleParts:
    """Read a sample of one image, or of the images of an OME-Zarr; where given, transcripts and a label image."""
    several = find_image_set(sample)
    if several is not None:
        return read_image_set(sample, *several)
    # Pages without names are planes where the sheet says how far apart they are.
    pages: Pages = "z" if sample.z_step_um else "c"
    image = open_image(required_image(sample), where=sample.where, fractions=True, pages=pages)
    image = in_steps(image, sample.steps_per_unit, where=f"{sample.where}, image '{sample.image}'")
    part = image.part(place(sample, image), z_step_um(sample, image))
    notes = []
    said = image.pixel_size_um
    if said and sample.pixel_size_um and not 0.8 < sample.pixel_size_um / said[1] < 1.25:
        notes.append(
            f"the sample sheet says {sample.pixel_size_um:g} um a pixel, the file {said[1]:g} um: the sheet is believed"
        )
    if image.format.startswith("OME-Zarr") and any(image.origin_um):
        notes.append(f"{image.format}: the translation is taken as the centre of the first pixel")
    polygons = (
        open_polygons(sample.labels, sample.where) if sample.labels and is_polygons(sample.labels) else None
    )
    points = (
        open_points(sample.transcripts, where=sample.where, accepted=accepted_names(sample.columns))
        if sample.transcripts
        else None
    )
    labels = None if polygons else labels_of(sample, part)
    return SampleParts(
        reader=f"generic ({image.format})",
        image=part,
        tested_on_real_files=all_tested(part, labels, polygons),
        points=points,
        labels=labels,
        polygons=polygons,
        labels_show="cells" if polygons else "nuclei",
        notes=tuple(notes),
    )
