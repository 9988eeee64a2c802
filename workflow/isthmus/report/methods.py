"""A paragraph for the methods section of a paper, from what was really done, and what to cite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.report import methods_proteins
from isthmus.report.gather import RunResults
from isthmus.report.text import count, joined


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
    settings = run.plan.settings
    sentences = [_images(run), _segmentation(run), _cells(settings), *_own_methods(run)]
    if not any(sample.plan.has_image for sample in run.samples):
        sentences = [_tables(run), *_reads(run), _quality(settings["analysis"]["quality"])]
    elif any(sample.plan.has_points for sample in run.samples):
        sentences += [_counts(settings), _quality(settings["analysis"]["quality"])]
    elif run.proteins:
        sentences.append(methods_proteins.intensities(settings))
    if run.cohort is not None and run.cohort.umap is not None:
        told = methods_proteins.clusters if run.proteins else _clusters
        sentences.append(told(settings["analysis"], run.notes))
        if run.notes.get("integration", {}).get("done"):
            sentences.append(_integration(run.notes["integration"]))
    if "gating" in run.notes:
        sentences.append(methods_proteins.gates(run.notes["gating"]))
    elif run.cohort is not None and "cell_type" in run.cohort.obs:
        sentences.append(_types(run.notes.get("annotation", {})))
    if run.neighbourhood is not None:
        sentences.append(
            _neighbourhood(run.notes.get("neighbourhood", settings["analysis"]["neighbourhood"]))
        )
    if _is_compared(run):
        sentences.append(_composition(run.notes.get("composition", {})))
    if run.omics is not None:
        sentences += [
            _joint(unit, of) for unit, of in run.omics.units.items() if of["tested"] or of["factors"]
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
    if _is_compared(run):
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
    return [
        f"Reads ({options['technology']}) were pseudoaligned with kallisto and molecules counted with bustools"
        f" (kb-python); barcodes of at least {count(options['min_molecules'])} molecules were kept."
    ]


def _has_reads(run: RunResults) -> bool:
    return any(sample.counted_reads is not None for sample in run.samples)


def _images(run: RunResults) -> str:
    sizes = {f"{sample.plan.spacing_um[2]:g}" for sample in run.samples}
    n = len(run.samples)
    what = "One image" if n == 1 else f"Images of {n} samples"
    verb = "was" if n == 1 else "were"
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


def _segmentation(run: RunResults) -> str:
    options = run.plan.settings["segmentation"]
    if options["method"] == "labels":
        return "Nuclei or cells were taken from labels or outlines that came with the data."
    own = options[options["method"]]
    channel = own["channel"] or run.samples[0].plan.channels[0]
    if options["method"] == "blobs":
        return (
            f"Nuclei were segmented in channel {channel} as basins of steepest ascent of a difference of two Gaussian"
            f" blurs (diameter {own['nucleus_diameter_um']:g} µm, sensitivity {own['sensitivity']:g}, edge"
            f" {own['edge']:g}); objects below {own['min_area_um2']:g} µm² were dropped."
        )
    basins = own
    return (
        f"Nuclei were segmented in channel {channel} as basins of steepest ascent of a landscape of the distance to the"
        " edge of the foreground, parted by grooves and necks"
        f" ({_diameter(run)}, sensitivity {basins['sensitivity']:g},"
        f" local contrast {basins['local_contrast']:g}, smoothing {basins['smoothing_um']:g} µm,"
        f" groove depth {basins['groove_depth']:g}, roundness {basins['roundness']:g});"
        f" objects below {basins['min_area_um2']:g} µm² were dropped."
    )


def _diameter(run: RunResults) -> str:
    basins = run.plan.settings["segmentation"]["basins"]
    if not basins["measure_diameter"]:
        return f"expected diameter {basins['nucleus_diameter_um']:g} µm"
    found = sorted({sample.diameter_um for sample in run.samples if sample.diameter_um is not None})
    return f"diameter measured in each sample: {joined([f'{size:g}' for size in found]) or 'unknown'} µm"


def _cells(settings: Mapping[str, Any]) -> str:
    reach = settings["cells"]["expand_um"]
    if reach == 0:
        return "Cells are represented by their nuclei."
    text = f"Cells were made by growing nuclei by at most {reach:g} µm, without overlap"
    guide = settings["cells"]["guide"]
    if guide["channel"] is not None:
        held = "bright membranes hold" if guide["kind"] == "membrane" else "dark gaps between cytoplasm hold"
        text += (
            f", along the cheapest paths in channel {guide['channel']}, in which {held} growth up"
            f" (kind {guide['kind']}, weight {guide['weight']:g})"
        )
    return f"{text}."


def _counts(settings: Mapping[str, Any]) -> str:
    quality = settings["quantification"]["min_qv"]
    return (
        "Every transcript was given to the cell that it lies in; only transcripts of genes with a quality value of at"
        f" least {quality:g} were counted, negative controls and others were kept apart."
    )


def _quality(options: Mapping[str, Any]) -> str:
    bounds = []
    for name, what, unit in (
        ("counts", "transcripts", ""),
        ("genes", "genes", ""),
        ("area_um2", "area", " µm²"),
    ):
        low, high = options.get(f"min_{name}"), options.get(f"max_{name}")
        if low is not None:
            bounds.append(
                f"at least {low:g}{unit} {what}" if not unit else f"an area of at least {low:g}{unit}"
            )
        if high is not None:
            bounds.append(
                f"at most {high:g}{unit} {what}" if not unit else f"an area of at most {high:g}{unit}"
            )
    if options.get("max_mito_fraction") is not None:
        bounds.append(f"at most {100 * options['max_mito_fraction']:g} % mitochondrial transcripts")
    if options.get("doublets") == "scrublet":
        bounds.append("a Scrublet score that is not that of a doublet (doi:10.1016/j.cels.2018.11.005)")
    if options.get("max_control_fraction") is not None:
        bounds.append(f"at most {100 * options['max_control_fraction']:g} % negative controls")
    return (
        f"Cells with {joined(bounds)} were analysed further."
        if bounds
        else "All cells were analysed further."
    )


def _clusters(analysis: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    options = notes.get("clustering", analysis["clustering"])
    return (
        "Counts were scaled to the median total and log-transformed (Scanpy); cells were clustered with the Leiden"
        f" algorithm (resolution {options['leiden_resolution']:g}) on a graph of {options['n_neighbours']} nearest"
        f" neighbours in up to {options['n_components']} principal components and mapped by UMAP (seed"
        f" {analysis['seed']}). Marker genes were ranked by Wilcoxon's rank-sum test of each cluster against the rest"
        " (Benjamini-Hochberg)."
    )


def _integration(options: Mapping[str, Any]) -> str:
    return (
        f"{int(options['n_batches'])} batches (column {options['batch_column']}) were brought together with Harmony in"
        f" the space of principal components (theta {float(options['theta']):g}, at most"
        f" {int(options['max_rounds'])} rounds) before that."
    )


def _is_compared(run: RunResults) -> bool:
    return run.composition is not None and bool(run.composition["p_value"].notna().any())


def _composition(options: Mapping[str, Any]) -> str:
    shares = "centred log-ratios" if options.get("transform") == "clr" else "arcsine of the square root"
    return (
        f"Shares of cell types in samples ({shares}) were compared between conditions by linear models with moderated"
        " variances as in propeller (Benjamini-Hochberg)."
    )


def _joint(unit: str, of: Mapping[str, Any]) -> str:
    """What joint analysis over samples or wells did."""
    done = []
    if of["tested"]:
        done.append(
            f"{of['tested']:,} pairs of image features and molecules were correlated over {unit}s by Spearman's rho, p"
            " from permutations (Benjamini-Hochberg)"
        )
    if of["factors"]:
        done.append(
            f"factors of {len(of['modalities'])} modalities were found with MOFA over"
            f" {of['factors']['n_units']} {unit}s"
        )
    text = "; ".join(done)
    return f"{text[0].upper()}{text[1:]}."


def _types(options: Mapping[str, Any]) -> str:
    source = f" ({options['reference']})" if options.get("reference") else ""
    limits = [
        f"{words} below {float(options[key]):g}"
        for key, words in (
            ("min_confidence", "a posterior probability"),
            ("min_fit", "a relative correlation"),
        )
        if key in options
    ]
    rest = f" Cells with {' or '.join(limits)} were left unassigned." if limits else ""
    n_cells = options.get("n_reference_cells")
    if n_cells is None:
        how = "by the likelihood of each cell's counts under reference profiles"
        return f"Cell types were assigned {how}{source}.{rest}"
    ways = {"likelihood": "the likelihood of counts", "logistic": "multinomial logistic regression"}
    ways["both"] = f"{ways['likelihood']} and {ways['logistic']} together"
    return (
        f"Cell types were learned from {count(float(n_cells))} cells of known type{source} by"
        f" {ways.get(str(options.get('method')), 'a comparison of counts')}.{rest}"
    )


def _neighbourhood(options: Mapping[str, Any]) -> str:
    return (
        "Neighbourhood enrichment is the z-score of the number of neighbouring pairs (six nearest cells within"
        f" {float(options['max_distance_um']):g} µm) against {count(float(options['n_permutations']))} permutations of"
        " the labels within samples."
    )
