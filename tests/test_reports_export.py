"""The tables for a spreadsheet: every column explained, nothing that computes, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook

from models.states import State
from pipeline.session import Session
from reports.commands import ExportFormat, export
from reports.errors import ReportError
from reports.export import harmless, write_csv, write_xlsx
from reports.formula import SHARE_PREFIX
from reports.tables import DICTIONARY, SHARE, tables


@pytest.fixture(scope="module")
def session(make_session: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session.open(make_session(tmp_path_factory.mktemp("sessions"), seconds=60))


def test_an_empty_session_has_empty_tables(make_session: Callable[..., Path], tmp_path: Path) -> None:
    made = tables(Session.open(make_session(tmp_path, students=0, seconds=0)))
    assert made["class"].empty
    assert made["session"]["engagement"].isna().all()
    assert len(write_csv(made, tmp_path / "out")) == len(made)
    assert write_xlsx(made, tmp_path / "out.xlsx").is_file()


def test_every_column_is_explained_and_nothing_else_is(session: Session) -> None:
    made = tables(session)
    assert set(made) == {*DICTIONARY, "dictionary"}
    states = [SHARE_PREFIX + state.value for state in State]
    for name, columns in DICTIONARY.items():
        explained = [one for column in columns for one in (states if column == SHARE else [column])]
        assert sorted(made[name].columns) == sorted(explained), name
    listed = made["dictionary"]
    assert len(listed) == sum(map(len, DICTIONARY.values()))
    assert (listed["meaning"].str.len() > 3).all()


def test_the_tables_agree_with_each_other(session: Session) -> None:
    made = tables(session)
    (row,) = made["session"].to_dict("records")
    assert row["engagement"] == pytest.approx(session.manifest.engagement.mean)
    weights = made["weights"].set_index("state")["weight"]
    assert sum(row[SHARE_PREFIX + name] * weight for name, weight in weights.items()) == pytest.approx(
        row["engagement"]
    )
    assert row["other_weights_low"] <= row["other_weights_high"]


def test_csv_and_workbook_hold_the_same(session: Session, tmp_path: Path) -> None:
    made = tables(session)
    paths = write_csv(made, tmp_path / "csv")
    assert [path.stem for path in paths] == list(made)
    book = load_workbook(write_xlsx(made, tmp_path / "book.xlsx"))
    assert book.sheetnames == list(made)
    for path in paths:
        table = pd.read_csv(path)
        assert list(table.columns) == [cell.value for cell in book[path.stem][1]]
        assert len(table) == book[path.stem].max_row - 1


def test_words_that_would_compute_are_led_by_an_apostrophe(tmp_path: Path) -> None:
    words = ["=1+1", "+head", "-2", "@x", " =cmd", "plain", ""]
    table = pd.DataFrame({"why": words, "value": [-0.5] * len(words)})
    assert harmless(table)["why"].tolist() == ["'=1+1", "'+head", "'-2", "'@x", "' =cmd", "plain", ""]
    assert harmless(table)["value"].tolist() == [-0.5] * len(words)
    book = load_workbook(write_xlsx({"t": table}, tmp_path / "t.xlsx"))
    assert "f" not in {cell.data_type for cell in book["t"]["A"]}


def test_a_place_that_cannot_be_written_is_one_sentence(session: Session, tmp_path: Path) -> None:
    made = tables(session)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="is a file; give a folder"):
        write_csv(made, tmp_path / "file")
    with pytest.raises(ReportError, match=r"name ends in \.xlsx"):
        write_xlsx(made, tmp_path / "book.csv")
    with pytest.raises(ReportError, match="can not be written"):
        write_xlsx(made, tmp_path / "file" / "book.xlsx")
    (tmp_path / "folder.xlsx").mkdir()
    with pytest.raises(ReportError, match="is a folder"):
        write_xlsx(made, tmp_path / "folder.xlsx")
    assert not list(tmp_path.rglob(".*partial*"))


def test_the_command_says_where_the_tables_are(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "parts.csv").write_text("start,title\n0,All of it\n")
    export(session.folder, tmp_path / "csv", segments=tmp_path / "parts.csv")
    assert capsys.readouterr().out.split() == [str(tmp_path / "csv" / f"{name}.csv") for name in tables(session)]
    assert pd.read_csv(tmp_path / "csv" / "segments.csv")["title"].tolist() == ["All of it"]
    export(session.folder, tmp_path / "book.xlsx", ExportFormat.XLSX)
    assert capsys.readouterr().out.strip() == str(tmp_path / "book.xlsx")
