"""Compiled functions of UMAP, kept between processes."""

from __future__ import annotations


def keep_compiled() -> None:
    """Let numba store two functions that UMAP otherwise compiles anew in each process, which takes 4 CPU
    seconds.

    They are stored where numba stores those that UMAP itself marks for it (NUMBA_CACHE_DIR, else beside
    UMAP, else in the user's cache folder). Where none of these can be written nothing changes.
    """
    from umap import umap_

    for function in (umap_.smooth_knn_dist, umap_.compute_membership_strengths):
        try:
            function.enable_caching()
        except RuntimeError:
            # numba: "no locator available", that is, no folder to write to
            return
