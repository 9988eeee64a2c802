"""Sentences for the methods section: what was asked of the cells of all samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.report.gather import RunResults
from isthmus.report.text import count, joined


def clusters(analysis: Mapping[str, Any], notes: Mapping[str, Any], rows: str = "cells") -> str:
    """How cells were arranged."""
    options = notes.get("clustering", analysis["clustering"])
    return (
        f"Counts were scaled to the median total and log-transformed (Scanpy); {rows} were clustered with the Leiden"
        f" algorithm (resolution {options['leiden_resolution']:g}) on a graph of {options['n_neighbours']} nearest"
        f" neighbours in up to {options['n_components']} principal components and mapped by UMAP (seed"
        f" {analysis['seed']}). Marker genes were ranked by Wilcoxon's rank-sum test of each cluster against the rest"
        " (Benjamini-Hochberg)."
    )


def integration(options: Mapping[str, Any]) -> str:
    """How batches were brought together."""
    return (
        f"{int(options['n_batches'])} batches (column {options['batch_column']}) were brought together with Harmony in"
        f" the space of principal components (theta {float(options['theta']):g}, at most"
        f" {int(options['max_rounds'])} rounds) before that."
    )


def types(options: Mapping[str, Any]) -> str:
    """How cells got a type."""
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


def is_compared(run: RunResults) -> bool:
    """Whether conditions could be compared."""
    return run.composition is not None and bool(run.composition["p_value"].notna().any())


def composition(options: Mapping[str, Any]) -> str:
    """How conditions were compared."""
    shares = "centred log-ratios" if options.get("transform") == "clr" else "arcsine of the square root"
    return (
        f"Shares of cell types in samples ({shares}) were compared between conditions by linear models with moderated"
        " variances as in propeller (Benjamini-Hochberg)."
    )


def joint(unit: str, of: Mapping[str, Any]) -> str:
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


def neighbourhood(options: Mapping[str, Any]) -> str:
    """How surroundings were tested."""
    return (
        "Neighbourhood enrichment is the z-score of the number of neighbouring pairs (six nearest cells within"
        f" {float(options['max_distance_um']):g} µm) against {count(float(options['n_permutations']))} permutations of"
        " the labels within samples."
    )


def structures(classes: Sequence[str]) -> str:
    """How distances to structures were measured."""
    return (
        f"Distances of cells to structures that were drawn ({joined(list(classes))}) are those of their centroids to"
        " the nearest border, negative inside."
    )
