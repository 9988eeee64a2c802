"""The fixed text of docs/benchmarks.md."""

HEAD = """# Benchmarks

Measured {measured}; {machine}.{small} Load of the machine when rows began, the benchmark itself included: {load}.
Isthmus and its peers ran side by side, each row in a process of its own with one thread, peers in environments of their
own (`envs/bench-*.txt`).

**CPU s**: user and system seconds of the work itself, import and making of inputs excluded, the least of two processes
(whole runs: one; rows in memory and transcripts: two runs in one process; quick trials: one of everything). **With
start**: the whole process and its children, import included, for Isthmus of the five processes of its stages. **Peak
MB**: resident memory of the process and its children. Machines and their load change seconds; look at ratios, and do
not trust one below 1.5.
**F1**: objects matched at an overlap above 0.5 with the truth. Images are generated tissue (`tests/tissue.py`): four
channels of 16 bit, pixels of 0.5 um, 2,000 nuclei a megapixel that touch and overlap, uneven background, noise; the
truth is known.
"""

NOTES = """## What limits the figures

Where the goals above are missed or barely met; the numbers are those of the tables on this page.

* **Share of the codec limit**: it is that of both passes and stitching; of a whole run, with pyramid and tables, it
  is smaller still. Reading and writing with landscape and forest alone take about as long as the goal leaves for
  everything (see *Where the time of both passes goes*). Reading costs more than the limit because the nuclear
  channel is read twice and with halo, and because local labels are written and read again.
* **Nuclei measured**: 300,000 a second leave 3.3 microseconds for a nucleus in four channels. The sums fit in;
  border patterns, convex hulls and the sorting of values for medians cost, together, more than twice as much again.
* **Transcripts in spatial order**: reading the Parquet file and binning, looking up and counting, and joining take
  about the same each; no part of them could be left out.
* **Worker memory**: the worker of the curve works through all blocks, at 16,384 pixels sixteen times as many as at
  4,096, and its peak is that of the dearest: among more blocks the fullest is fuller. In one worker resident memory
  stays flat from the 128th block to the 256th, and the number of live objects does not change. With the same number
  of blocks `tests/unit/test_worker_memory.py` holds the ratio to 1.05.
* **Sopa, all but the function**: Isthmus's part is mostly reading, writing and measuring. The figure is nearer to
  its goal than such measurements are certain.
* **In memory**: the figures asked for count landscape, forest and statistics alone; with block records and final
  labels, the tissue with pixels of 0.5 um comes out close below 40 (second table of *Where the time of both passes
  goes*).

## What is not fair, either way

* **Generated tissue** was made for this benchmark; its nuclei are blurred ellipses. The presets of `basins` were
  chosen on other images, those of the scikit-image rows are plain and were not tuned on it either.
* **scikit-image, same operator**: floating point instead of whole numbers, watershed instead of steepest ascent, and
  peaks a fixed distance apart in place of the rule for necks. It finds other objects; F1 says how good they are.
* **Cutting rows** call the same compiled function, so they compare how the cuts are handled, not how fast the
  operator is. The Isthmus rows also write two label images, measure four channels and
  write outlines, the others only segment.
  bioimage-py holds the whole label image in one process; its joining is a heuristic (multicut of overlaps), which
  happens to err or not. The halo is the one that Isthmus needs. dask-image labels connected components: nuclei that
  touch stay one object, so its F1 is not comparable.
* **In memory** is the code of both passes, records of blocks and final labels included, on arrays in place of stored
  levels. Copying a block's pixels stands for decoding them and is left out; so are growth and outlines, for "`basins`
  with statistics" names neither. *Sums of intensity and shape* are areas, boxes, moments, means, deviations, minima and
  maxima, of nucleus and cytoplasm (empty where nothing is grown): what the earlier prototype measured.
* **Sopa** stores SpatialData elements and GeoParquet, and its table is an AnnData; Isthmus's core here ends with the
  joined sums and the outlines, its AnnData is written by another rule (see the whole run). Sopa's
  smoothing and contrast enhancement of patches are off (they would add CPU), its overlap is the default of 50 pixels
  though the operator looks further, and its filter of dark cells is off. Sopa's start (seconds of import) is
  left out; every process of its workflow pays it. Only the per-patch function is warmed for Sopa: what its libraries
  load when first used counts against it (the larger the image, the less that is); Isthmus's kernels are loaded before
  its clock starts, but are too in its jobs.
* **Statistics**: the property sets differ. For Isthmus only the measuring counts, not the reading of the image, nor
  the growth of cells; the other rows get arrays in memory too. squidpy and dask-image are made for few objects, so
  they get few. Isthmus measures a larger image, block by block, and joins the parts of cells that are cut.
* **Codec limit**: decode four channels once, encode two label images (nuclei, and the same again as cells) once, with
  the codecs and shards that Isthmus itself uses. A program that writes one label image would have a lower limit.
  Isthmus reads the nuclear channel twice, and writes and reads local labels besides.
* **Slow peers** run on `{seams}`, not on larger images; scikit-image on whole images takes part up to
  {whole_tools:,} pixels a side.
* **Memory** counts shared libraries in every process. **Files** of Isthmus are shards, block records and lookup.
"""
