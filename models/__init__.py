"""What is learned: weights on disk, states, unusual behaviour, training. Imports libraries only."""
