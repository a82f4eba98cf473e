"""Video in, session out: decode, detect, track, seats, faces, cues, anonymise, render, store."""

import os

# Read when torch is first loaded, so it must be said before any module of this room does that. Threads that wait by
# spinning steal the time of those that work, most of all on a machine shared with other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
