"""Generators of demo data with known truth, one module each.

A module has `make(folder: Path) -> None`, which writes every member of its data set into an empty folder: the data,
and the truth beside them. The same bytes come out on every machine wherever that can be: numbers are drawn by
`drawing.uniform`, made with sums, products, quotients and roots only, and stored without compression.
"""
