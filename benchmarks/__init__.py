"""Scripts that print the tables in ``docs/benchmarks.md``; each runs by itself, see ``README.md`` beside this file."""
