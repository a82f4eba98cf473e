"""Failures of the formula and the report, in one sentence (``exit_code``: see pipeline/errors.py)."""


class FormulaError(Exception):
    """Weights or tables the engagement index can not be computed from.

    Not a ``ValueError``, so that pydantic hands it on as the sentence it is instead of wrapping it.
    """

    exit_code = 2


class ReportError(ValueError):
    """The report can not be written as asked."""

    exit_code = 2


class OutputError(OSError):
    """The report can not be stored although all was asked rightly (the disk is full)."""

    exit_code = 1
