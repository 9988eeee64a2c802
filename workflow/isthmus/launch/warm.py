"""Compile all kernels into the cache, so that the first run does not wait for the compiler."""

import isthmus.quantify.warm
import isthmus.segment.warm  # noqa: F401 - importing these modules calls every kernel once
