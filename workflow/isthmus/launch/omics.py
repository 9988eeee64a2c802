"""What the head learns of tables of other omics from their headers, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isthmus.config.models import Settings
from isthmus.config.omics import OmicsTable
from isthmus.errors import UserError, raise_all
from isthmus.plan.identity import files_digest
from isthmus.plan.make import OmicsInput


def omics_inputs(settings: Settings) -> dict[str, OmicsInput]:
    """Digest and size of each table; all faults of all tables at once."""
    if not settings.analysis.omics:
        return {}
    # Here, because it loads what most runs do without.
    from isthmus.readers.omics_table import read_header

    found: dict[str, OmicsInput] = {}
    faults: list[UserError] = []
    for options in settings.analysis.omics:
        try:
            n_values = read_header(options).n_values
        except UserError as error:
            faults.append(error)
        else:
            found[options.name] = OmicsInput(files_digest([options.path]), n_values)
    raise_all(faults)
    return found


def omics_faults(tables: Sequence[OmicsTable], samples: Sequence[str]) -> Iterator[UserError]:
    """A fault for every table whose keys do not fit the samples of the run."""
    if not tables:
        return
    from isthmus.readers.omics_table import fault_of_keys, read_header

    for options in tables:
        keys = read_header(options).keys
        if options.key == "sample":
            fault = fault_of_keys(keys, samples, options)
        elif len(samples) > 1:
            # Wells, spots and cells are known when cells have been found; whose they are shows before.
            fault = fault_of_keys(_samples_named(keys, samples), samples, options, "sample of this run")
        else:
            fault = None
        if fault is not None:
            yield fault


def _samples_named(keys: Sequence[str], samples: Sequence[str]) -> list[str]:
    """The sample that each key `<sample>-<name>` begins with, as far as one is known; else what stands before `-`."""
    by_length = sorted(samples, key=len, reverse=True)
    named = (
        next((name for name in by_length if key.startswith(f"{name}-")), key.rpartition("-")[0] or key)
        for key in keys
    )
    return list(dict.fromkeys(named))
