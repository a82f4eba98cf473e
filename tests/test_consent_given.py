"""Text files that somebody gives: limits on what is read and on what is said of it."""

from __future__ import annotations

import errno
import json
import os

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from consent.given import LONGEST_QUOTE, NotPlain, as_shown, field_of, parse_json, parse_yaml, quoted, read_text

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lines that stand for 9 to the ninth numbers."""


def test_an_empty_file(tmp_path):
    (tmp_path / "a").touch()
    assert read_text(tmp_path / "a") == ""


def test_what_is_no_plain_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a plain file"):  # reading it would wait forever
        read_text(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="not a plain file"):
        read_text(tmp_path / "endless")


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(tmp_path):
    (tmp_path / "a").write_text("x" * 10)
    assert read_text(tmp_path / "a", most=10) == "x" * 10
    with pytest.raises(OSError, match="larger than") as caught:
        read_text(tmp_path / "a", most=9)
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a":' * 50_000, "9" * 5000, "nan", "\x00", r'"\ud800"'], ids=range(8)
)
def test_what_is_no_json(text):
    with pytest.raises(NotPlain):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [BOMB, "a: &a [*a]", "a: &x 1\nb: {<<: *x}", "[" * 100_000, "2026-02-31", "!!python/object/apply:os.system [id]",
     "{a: 1}: 2", "\x00", "%YAML 9.9", "9" * 5000],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_yaml_here(text):
    with pytest.raises(NotPlain):
        parse_yaml(text)


def test_the_line_is_named():
    with pytest.raises(NotPlain) as caught:
        parse_yaml("a: 1\nb: 2\nc: *a\n")
    assert caught.value.line == 3


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1), inner),
    max_leaves=10,
)


@given(plain)
def test_plain_texts_say_what_they_say(content):
    assert parse_json(json.dumps(content)) == content
    assert parse_yaml(json.dumps(content)) == yaml.safe_load(json.dumps(content))


@given(st.text() | st.integers() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text()))
def test_a_quote_is_short_and_on_one_line(value):
    assert len(quoted(value)) <= LONGEST_QUOTE
    assert quoted(value).isprintable()


@pytest.mark.parametrize("value", [10**5000, [10**5000], "x" * 10**6, [[]] * 10**5, None], ids=range(5))
def test_a_quote_of_something_monstrous(value):
    assert len(quoted(value)) <= LONGEST_QUOTE


def test_short_things_are_quoted_whole():
    assert quoted("nose") == "'nose'"
    assert quoted(17) == "17"


@pytest.mark.parametrize("name", ["x" * 100_000, "a\nb"], ids=["long", "two lines"])
def test_a_field_that_nobody_knows_is_named_shortly(name):
    class Known(BaseModel):
        model_config = ConfigDict(extra="forbid")

    with pytest.raises(ValidationError) as caught:
        Known.model_validate({name: 1})
    assert len(field_of(caught.value)) <= 2 * LONGEST_QUOTE
    assert field_of(caught.value).isprintable()


def test_a_path_in_a_sentence(tmp_path):
    assert as_shown(tmp_path / "a") == str(tmp_path / "a")
    assert as_shown(tmp_path / "a\nb").isprintable()


def test_characters_in_two_halves_are_one():
    assert parse_json(r'"\ud83d\ude00"') == "\U0001f600"
