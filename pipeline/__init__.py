"""Video in, session out: decode, detect, track, seats, faces, cues, anonymise, render, store."""
