"""Tables as CSV files or as one Excel workbook, safe to open in a spreadsheet."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any, Final

import pandas as pd

from reports.errors import OutputError, ReportError

_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
DIGITS: Final = "%.6g"


def write_csv(tables: Mapping[str, pd.DataFrame], out: Path) -> list[Path]:
    """One CSV file for each table in the folder ``out``; returns their paths.

    Raises:
        ReportError: ``out`` is a file, or cannot be written.
        OutputError: the disk is full.
    """
    if out.exists() and not out.is_dir():
        raise ReportError(f"--out {out}: is a file; give a folder for the CSV files")
    paths = []
    for name, table in tables.items():
        path = out / f"{name}.csv"
        with _beside(path) as partial:
            harmless(table).to_csv(partial, index=False, float_format=DIGITS)
        paths.append(path)
    return paths


def write_xlsx(tables: Mapping[str, pd.DataFrame], out: Path) -> Path:
    """One workbook with a sheet for each table; returns its path.

    Raises:
        ReportError: ``out`` is no .xlsx file, or cannot be written.
        OutputError: the disk is full.
    """
    if out.suffix.lower() != ".xlsx":
        raise ReportError(f"--out {out}: a workbook's name ends in .xlsx; give such a file")
    with _beside(out) as partial, pd.ExcelWriter(partial, engine="openpyxl") as writer:
        for name, table in tables.items():
            harmless(table).to_excel(writer, sheet_name=name, index=False, freeze_panes=(1, 0))
            sheet = writer.sheets[name]
            for place, column in enumerate(table.columns, 1):
                widest = table[column].astype(str).str.len().head(200).max() if len(table) else 0
                sheet.column_dimensions[sheet.cell(1, place).column_letter].width = min(
                    max(len(column), widest) + 2, 70
                )
    return out


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """The table with words that a spreadsheet would compute led by an apostrophe (OWASP, CSV injection)."""
    return table.map(
        lambda cell: f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(_STARTS_A_FORMULA) else cell
    )


@contextmanager
def _beside(path: Path) -> Any:
    """Where to write a file so that it has its name only when whole."""
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        if path.is_dir():
            raise ReportError(f"{path}: is a folder; choose another --out")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # a link that somebody put there would be followed
        yield partial
        shutil.move(partial, path)
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise OutputError(f"{path}: the disk is full; free some space or choose another --out") from error
        raise ReportError(f"{path}: can not be written ({error.strerror}); choose another --out") from error
    finally:
        with suppress(OSError):  # there is no folder it could be in
            partial.unlink(missing_ok=True)
