"""A paragraph for the methods section of a paper, from what was really done, and what to cite."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.report import methods_analysis, methods_cells, methods_proteins
from isthmus.report.gather import RunResults
from isthmus.report.sections_sample import has_qv
from isthmus.report.text import count, joined
from isthmus.report.words import words_of


@dataclass(frozen=True)
class Reference:
    """Something to cite; `doi` without its address."""

    what: str
    text: str
    doi: str = ""


ISTHMUS = Reference(
    "Isthmus", "The Isthmus developers. Isthmus: bioimages and omics in one reproducible run."
)
_TOOLS = {
    "snakemake": Reference(
        "Snakemake", "Mölder et al., F1000Research 10:33 (2021)", "10.12688/f1000research.29032.2"
    ),
    "scanpy": Reference("Scanpy", "Wolf et al., Genome Biology 19:15 (2018)", "10.1186/s13059-017-1382-0"),
    "leiden": Reference(
        "Leiden", "Traag et al., Scientific Reports 9:5233 (2019)", "10.1038/s41598-019-41695-z"
    ),
    "umap": Reference("UMAP", "McInnes et al., JOSS 3:861 (2018)", "10.21105/joss.00861"),
    "neighbours": Reference(
        "Neighbourhood enrichment", "Palla et al., Nature Methods 19:171 (2022)", "10.1038/s41592-021-01358-2"
    ),
    "harmony": Reference(
        "Harmony", "Korsunsky et al., Nature Methods 16:1289 (2019)", "10.1038/s41592-019-0619-0"
    ),
    "propeller": Reference(
        "Propeller", "Phipson et al., Bioinformatics 38:4720 (2022)", "10.1093/bioinformatics/btac582"
    ),
    "mofa": Reference(
        "MOFA", "Argelaguet et al., Genome Biology 21:111 (2020)", "10.1186/s13059-020-02015-1"
    ),
    "limma": Reference(
        "Moderated variances",
        "Smyth, Statistical Applications in Genetics and Molecular Biology 3:3 (2004)",
        "10.2202/1544-6115.1027",
    ),
    "kallisto": Reference("kallisto", "Bray et al., Nature Biotechnology 34:525 (2016)", "10.1038/nbt.3519"),
    "bustools": Reference(
        "bustools, kb-python",
        "Melsted et al., Nature Biotechnology 39:813 (2021)",
        "10.1038/s41587-021-00870-2",
    ),
    "zarr": Reference(
        "OME-Zarr",
        "Moore et al., Histochemistry and Cell Biology 160:223 (2023)",
        "10.1007/s00418-023-02209-1",
    ),
    "anndata": Reference("AnnData", "Virshup et al., JOSS 9:4371 (2024)", "10.21105/joss.04371"),
}


def methods_text(run: RunResults) -> list[str]:
    """Sentences, one paragraph."""
    settings, words = run.plan.settings, words_of(run.plan)
    sentences = [
        _images(run),
        methods_cells.segmentation(run),
        methods_cells.cells(settings),
        *_own_methods(run),
    ]
    if not any(sample.plan.has_image for sample in run.samples):
        sentences = [_tables(run), *_reads(run), methods_cells.quality(settings["analysis"]["quality"])]
    elif run.plan.has_spots:
        sentences += [
            methods_cells.spots(),
            methods_cells.quality(settings["analysis"]["quality"], "Spots"),
        ]
    elif any(sample.plan.has_points for sample in run.samples):
        sentences += [
            methods_cells.counts(settings, any(has_qv(sample) for sample in run.samples)),
            methods_cells.quality(settings["analysis"]["quality"]),
        ]
    elif run.proteins:
        sentences.append(methods_proteins.intensities(settings, words.features))
    if run.cohort is not None and run.cohort.umap is not None:
        sentences.append(
            methods_proteins.clusters(settings["analysis"], run.notes, words.features)
            if run.proteins
            else methods_analysis.clusters(settings["analysis"], run.notes, words.rows)
        )
        if run.notes.get("integration", {}).get("done"):
            sentences.append(methods_analysis.integration(run.notes["integration"]))
    if "gating" in run.notes:
        sentences.append(methods_proteins.gates(run.notes["gating"]))
    elif run.cohort is not None and "cell_type" in run.cohort.obs:
        sentences.append(methods_analysis.types(run.notes.get("annotation", {})))
    if run.neighbourhood is not None:
        sentences.append(
            methods_analysis.neighbourhood(
                run.notes.get("neighbourhood", settings["analysis"]["neighbourhood"])
            )
        )
    if any(sample.plan.layout == "plate" for sample in run.samples):
        sentences.append(methods_proteins.wells(settings["analysis"]["profiles"]))
    if run.structures is not None:
        sentences.append(
            methods_analysis.structures(list(dict.fromkeys(run.structures["structure"].astype(str))))
        )
    if methods_analysis.is_compared(run):
        sentences.append(methods_analysis.composition(run.notes.get("composition", {})))
    if run.omics is not None:
        sentences += [
            methods_analysis.joint(unit, of)
            for unit, of in run.omics.units.items()
            if of["tested"] or of["factors"]
        ]
    return sentences


def references(run: RunResults) -> list[Reference]:
    """What to cite for this run."""
    names = ["snakemake", "zarr", "anndata", *(["kallisto", "bustools"] if _has_reads(run) else [])]
    if run.cohort is not None and run.cohort.umap is not None:
        names += ["scanpy", "leiden", "umap"]
    if run.neighbourhood is not None:
        names.append("neighbours")
    if run.notes.get("integration", {}).get("done"):
        names.append("harmony")
    if methods_analysis.is_compared(run):
        names += ["propeller", "limma"]
    if run.omics is not None and any(of["factors"] for of in run.omics.units.values()):
        names.append("mofa")
    return [ISTHMUS, *(_TOOLS[name] for name in names)]


def _tables(run: RunResults) -> str:
    n = len(run.samples)
    what = "One table of counts" if n == 1 else f"Tables of counts of {n} samples"
    return (
        f"{what} of dissociated cells {'was' if n == 1 else 'were'} analysed with Isthmus {run.plan.isthmus}."
    )


def _reads(run: RunResults) -> list[str]:
    options = run.plan.settings["quantification"]["reads"]
    if not _has_reads(run):
        return []
    software = next(
        of.counted_reads.get("software", {}) for of in run.samples if of.counted_reads is not None
    )
    kallisto, bustools, whole = (
        f"{name} {software.get(name, '')}".strip() for name in ("kallisto", "bustools", "kb-python")
    )
    return [
        f"Reads ({options['technology']}) were pseudoaligned with {kallisto} and molecules counted with {bustools}"
        f" ({whole}); barcodes of at least {count(options['min_molecules'])} molecules were kept."
    ]


def _has_reads(run: RunResults) -> bool:
    return any(sample.counted_reads is not None for sample in run.samples)


def _images(run: RunResults) -> str:
    sizes = {f"{sample.plan.spacing_um[2]:g}" for sample in run.samples}
    n, n_images = len(run.samples), sum(sample.plan.n_images for sample in run.samples)
    what = "One image" if n_images == 1 else f"{n_images:,} images of {n} sample{'s' if n > 1 else ''}"
    if n == n_images > 1:
        what = f"Images of {n} samples"
    verb = "was" if n_images == 1 else "were"
    text = f"{what} ({joined(sorted(sizes))} µm per pixel) {verb} analysed with Isthmus {run.plan.isthmus}"
    region = run.plan.settings["image"]["region_um"]
    if region is not None:
        x0, y0, x1, y1 = (f"{edge:g}" for edge in region)
        text += f", in the window from {x0} to {x1} µm in x and from {y0} to {y1} µm in y"
    return f"{text}."


def _own_methods(run: RunResults) -> list[str]:
    """Samples with a method of their own, and what was kept as it came."""
    told = []
    for sample in run.samples:
        method = sample.plan.own.get("segmentation", {}).get("method")
        if method == "labels":
            told.append(f"Cells of sample {sample.name} were taken from the data, not segmented here.")
        elif method is not None:
            told.append(f"Sample {sample.name} was segmented with the method {method}.")
    return told
