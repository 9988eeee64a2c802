"""`make bench`: Isthmus and its peers side by side in one run, on generated tissue with known truth and on real data.

Every row runs in a process of its own, in the environment of its library, with one thread. `python -m bench` runs the
rows, `rows.py` lists them, `page.py` writes docs/benchmarks.md.
"""
