"""Who may be processed, how and for how long. Imports libraries only."""
