"""How the shipped weights are made; nothing here runs when a lecture is analysed."""
