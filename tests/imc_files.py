"""Files of imaging mass cytometry after the layouts that readimc reads (doi:10.1038/s41596-023-00881-0)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

PUSHES = ("Start_push", "End_push", "Pushes_duration", "X", "Y", "Z")


def write_text(
    path: Path, channels: Mapping[str, npt.NDArray[np.float64]], n_rows: int | None = None
) -> Path:
    """A text export: a row a pixel, X fastest; only the first rows where a number is given."""
    height, width = next(iter(channels.values())).shape
    lines = ["\t".join([*PUSHES, *channels])]
    for number in range(height * width):
        y, x = divmod(number, width)
        values = [f"{pixels[y, x]:.3f}" for pixels in channels.values()]
        lines.append("\t".join(["1", "2", "1", str(x), str(y), str(number), *values]))
    path.write_text("\n".join(lines[: None if n_rows is None else n_rows + 1]) + "\n")
    return path


def write_mcd(
    path: Path, acquisitions: Mapping[str, tuple[tuple[str, ...], npt.NDArray[np.float32]]]
) -> Path:
    """A raw file: pixels (x, y, z, channels, float32) of each acquisition, then the XML of all as UTF-16.

    acquisitions
        By description: names of the channels as `Metal(mass)`, and pixels (c, y, x).
    """
    body, xml = (
        b"",
        ["<Slide><ID>0</ID></Slide><Panorama><ID>0</ID><SlideID>0</SlideID><Type>Default</Type></Panorama>"],
    )
    for number, (name, (channels, pixels)) in enumerate(acquisitions.items(), start=1):
        _, height, width = pixels.shape
        y, x = np.mgrid[:height, :width]
        table = np.stack(
            [x.ravel(), y.ravel(), np.arange(x.size), *pixels.reshape(len(channels), -1)], axis=1
        )
        start = len(body)
        body += table.astype("<f4").tobytes()
        xml.append(
            f"<AcquisitionROI><ID>{number}</ID><PanoramaID>0</PanoramaID></AcquisitionROI>"
            f"<Acquisition><ID>{number}</ID><Description>{name}</Description><AcquisitionROIID>{number}</AcquisitionROIID>"
            f"<DataStartOffset>{start}</DataStartOffset><DataEndOffset>{len(body)}</DataEndOffset><ValueBytes>4</ValueBytes>"
            f"<MaxX>{width}</MaxX><MaxY>{height}</MaxY>"
            "<AblationDistanceBetweenShotsX>1</AblationDistanceBetweenShotsX></Acquisition>"
        )
        for order, channel in enumerate(("X", "Y", "Z", *channels)):
            xml.append(
                f"<AcquisitionChannel><ID>{order}</ID><ChannelName>{channel}</ChannelName><OrderNumber>{order}</OrderNumber>"
                f"<AcquisitionID>{number}</AcquisitionID><ChannelLabel>{channel}</ChannelLabel></AcquisitionChannel>"
            )
    namespace = "http://www.fluidigm.com/IMC/MCDSchema.xsd"
    text = f'<MCDSchema xmlns="{namespace}">{"".join(xml)}</MCDSchema>'
    path.write_bytes(body + text.encode("utf-16-le"))
    return path
