"""Words about who says something."""

from __future__ import annotations

SAVED_AS = "Saved as"
HELP = "Initials or a word that tells reviewers apart. It is kept beside what you say, and is compared with others."
HERE = "first reviewer"
