"""What the head learns of tables of other omics from their headers, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from isthmus.config.models import Settings
from isthmus.config.omics import OmicsTable
from isthmus.errors import UserError, did_you_mean, raise_all
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


def omics_faults(
    tables: Sequence[OmicsTable],
    samples: Sequence[str],
    *,
    sheet: Mapping[str, Mapping[str, str]] | None = None,
    plate_map: Path | None = None,
) -> Iterator[UserError]:
    """A fault for every table whose keys do not fit the samples of the run.

    Parameters
    ----------
    samples
        Names of the run's samples.
    sheet
        What the sample sheet says of each in columns that go to the tables.
    plate_map
        The plate map, if there is one.
    """
    if not tables:
        return
    from isthmus.readers.omics_table import fault_of_keys, read_header

    for options in tables:
        keys = read_header(options).keys
        if options.by is not None:
            try:
                known = _descriptions(options, sheet or {}, plate_map)
            except UserError as error:
                yield error
                continue
            fault = fault_of_keys(keys, known, options, f"{options.by} of this run")
        elif options.key == "sample":
            fault = fault_of_keys(keys, samples, options)
        elif len(samples) > 1:
            # Wells, spots and cells are known when cells have been found; whose they are shows before.
            fault = fault_of_keys(_samples_named(keys, samples), samples, options, "sample of this run")
        else:
            fault = None
        if fault is not None:
            yield fault


def _descriptions(
    options: OmicsTable, sheet: Mapping[str, Mapping[str, str]], plate_map: Path | None
) -> list[str]:
    """Values of the column that a table names instead of samples or wells."""
    by, where = str(options.by), f"analysis.omics '{options.name}', by"
    if options.key == "sample":
        columns = list(dict.fromkeys(column for row in sheet.values() for column in row))
        found = sorted({row[by] for row in sheet.values() if by in row})
        place = "the sample sheet"
    else:
        if plate_map is None:
            raise UserError(
                where=where, found=f"there is no plate map with '{by}'", do="give analysis.profiles.plate_map"
            )
        from isthmus.analyse.plate_map import read_text_table

        table = read_text_table(plate_map)
        columns, place = list(table.columns), f"the plate map '{plate_map}'"
        found = sorted(set(table[by])) if by in table else []
    if by not in columns:
        raise UserError(where=where, found=f"{place} has no column '{by}'", do=did_you_mean(by, columns))
    return found


def _samples_named(keys: Sequence[str], samples: Sequence[str]) -> list[str]:
    """The sample that each key `<sample>-<name>` begins with, as far as one is known; else what stands before `-`."""
    by_length = sorted(samples, key=len, reverse=True)
    named = (
        next((name for name in by_length if key.startswith(f"{name}-")), key.rpartition("-")[0] or key)
        for key in keys
    )
    return list(dict.fromkeys(named))
