"""The engagement formula, its tables, the figures and the PDF."""
