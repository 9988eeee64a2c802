"""Plans of large images that are made of headers alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from isthmus.config.models import Settings
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.launch.sizes import borders_of
from isthmus.plan.machine import Machine
from isthmus.plan.make import SampleInput, make_plan
from isthmus.plan.model import ImagePlan, RunPlan

LUMI = Machine(
    name="LUMI-C",
    cores=128,
    memory_mb=229_376,
    billed_cores=128,
    max_minutes=2880,
    max_jobs_submitted=120,
    max_jobs_running=100,
    max_files=2_000_000,
    max_storage_gb=50_000,
    job_start_s=5.0,
    light_max_minutes=4320,
)
"""The standard partition, as the LUMI guide has it."""


def _input(
    shape: tuple[int, int, int, int], um: float, *, inputs: tuple[str, ...], n_images: int = 1
) -> SampleInput:
    channels = tuple(f"channel {number}" for number in range(shape[0]))
    return SampleInput(
        sheet={"sample": "a", "where": "row 2"},
        where="samples.tsv, row 2",
        header=ImageHeader(shape, "uint16", channels, Affine.from_size(um)),
        inputs=dict.fromkeys(inputs, "digest"),
        reader="generic",
        n_transcripts=100_000_000 if "transcripts" in inputs else None,
        images=_wells(shape, um, n_images) if n_images > 1 else (),
        layout="plate" if n_images > 1 else "image",
    )


def _wells(shape: tuple[int, int, int, int], um: float, n: int) -> tuple[ImagePlan, ...]:
    """Nine fields in each well of a plate of 24 columns."""
    made = []
    for number in range(n):
        well, field = divmod(number, 9)
        row, column = "ABCDEFGHIJKLMNOP"[well // 24], well % 24 + 1
        path = f"{row}/{column}/{field}"
        affine = Affine.from_size(um).numbers()
        made.append(ImagePlan(path=path, name=f"{row}{column}-{field}", shape=shape[1:], affine=affine))
    return tuple(made)


SLIDE = _input((4, 1, 100_000, 100_000), 0.2125, inputs=("image", "transcripts"))
"""A slide of 100,000 x 100,000 pixels and four channels, with 100 million transcripts."""
PLATE = _input((4, 1, 2160, 2160), 0.325, inputs=("image",), n_images=384 * 9)
"""A plate of 384 wells, nine fields each, four channels."""


def plan_of(
    sample: SampleInput,
    *,
    machine: Machine | None = None,
    execution: dict[str, Any] | None = None,
    image: dict[str, Any] | None = None,
    n: int = 1,
    preset: str = "tissue",
    header: ImageHeader | None = None,
    previous: RunPlan | None = None,
) -> RunPlan:
    """The plan of n such samples, or of other images."""
    options = {"samples": "samples.tsv", "segmentation": {"basins": {"preset": preset}}}
    made = Settings.model_validate(options)
    settings = made.model_dump(mode="json")
    settings["execution"] |= execution or {}
    settings["image"] |= image or {}
    sample = replace(sample, header=header or sample.header)
    sample = replace(sample, borders=borders_of(made, sample.header))
    names = ["a", *(f"sample{number}" for number in range(2, n + 1))]
    return make_plan(
        settings,
        dict.fromkeys(names, sample),
        reference=None,
        machine=machine or Machine(),
        previous=previous,
    )
