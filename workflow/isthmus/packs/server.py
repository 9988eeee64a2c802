"""The first thing that the process imports which workers are forked from: it must not outlive who started it.

Without this it would go on importing after its parent was killed, and end only then.
"""

from isthmus.packs.tied import tie_to_parent

tie_to_parent()
