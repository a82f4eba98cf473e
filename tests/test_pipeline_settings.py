from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.policy import Blur
from models.states import Profile, State
from pipeline.errors import InputError
from pipeline.settings import Settings, read_settings


@pytest.fixture
def config(tmp_path):
    """``config(text)``: a settings file of that content."""

    def write(content: str | bytes):
        path = tmp_path / "lecture.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path, **changes) -> str:
    """The one sentence with which the file is refused."""
    with pytest.raises(InputError) as caught:
        read_settings(path, **changes)
    assert caught.value.exit_code == 2
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "; " in sentence  # what is wrong; what to do
    return sentence


# no settings at all


@pytest.mark.parametrize("content", ["", "\n\n", "# only a remark\n", "null\n", "---\n", "{}"])
def test_an_empty_file_leaves_the_defaults(config, content):
    assert read_settings(config(content)) == Settings()


def test_no_file_and_no_changes():
    assert read_settings(None, profile=None, detect__imgsz=None) == Settings()


def test_an_empty_section_leaves_its_defaults(config):
    assert read_settings(config("detect: {}\n"), detect__imgsz=640).detect.imgsz == 640


# files that cannot be used


def test_a_missing_file(tmp_path):
    assert "none.yaml: settings cannot be read (No such file or directory)" in refusal(tmp_path / "none.yaml")


def test_a_folder(tmp_path):
    assert "Is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\x00\xff\xfe", bytes(range(256)), "rate: 5".encode("utf-16")])
def test_a_binary_file(config, content):
    assert "not a text file" in refusal(config(content))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("rate: [5", 1),
        ("rate: 5\nblur: : nobody", 2),
        ("rate: 5\n\tblur: nobody", 2),
        ("rate: !!python/object:os.system {}", 1),
        ("rate: *five", 1),
        ("a\x00b", 1),
    ],
)
def test_not_yaml(config, content, line):
    assert f"is not valid YAML near line {line}" in refusal(config(content))


@pytest.mark.parametrize("content", ["rate: 2024-13-45", "detect: {imgsz: 0o9x}\nrate: 2020-02-30"])
def test_a_date_that_does_not_exist(config, content):
    assert "is not valid YAML" in refusal(config(content))


@pytest.mark.parametrize("content", ["- rate: 5", "[rate, 5]", "[]", "just words", "5", "0", "false", '""'])
def test_not_settings_by_name(config, content):
    assert "holds no settings by name" in refusal(config(content))


# fields that cannot be used


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("raet: 5", "raet"),
        ("detect: {confidense: 0.5}", "detect.confidense"),
        ("states: {attentive: 1}", "states.attentive"),
        ("5: rate", "5"),
    ],
)
def test_an_unknown_field_is_named(config, content, field):
    assert refusal(config(content)).startswith(f"setting {field}: ")


@pytest.mark.parametrize(
    ("content", "field", "given"),
    [
        ("rate: 0", "rate", "0"),
        ("rate: -1.5", "rate", "-1.5"),
        ("rate: .nan", "rate", "nan"),
        ("rate: .inf", "rate", "inf"),
        ("rate: fast", "rate", "'fast'"),
        ("rate:", "rate", "None"),
        ("profile: everything", "profile", "'everything'"),
        ("blur: some", "blur", "'some'"),
        ("video_quality: 52", "video_quality", "52"),
        ("detect: {imgsz: 10}", "detect.imgsz", "10"),
        ("detect: {imgsz: [10]}", "detect.imgsz", "[10]"),
        ("detect: 640", "detect", "640"),
        ("cover: {colour: [0, 0]}", "cover.colour", "[0, 0]"),
        ("state_weights: {sleepy: 1}", "state_weights.sleepy", "'sleepy'"),
    ],
)
def test_a_value_out_of_range_is_named_and_shown(config, content, field, given):
    sentence = refusal(config(content))
    assert sentence.startswith(f"setting {field}")
    if field != "cover.colour":
        assert f"(given: {given})" in sentence


def test_a_change_out_of_range():
    assert refusal(None, rate=1000.0).startswith("setting rate: ")
    assert refusal(None, detect__imgsz=10).startswith("setting detect.imgsz: ")


# what holds


def test_changes_win_over_the_file(config):
    path = config("rate: 2\nprofile: full\nkeep_audio: true\ndetect: {imgsz: 1280, confidence: 0.4}\n")
    changed = read_settings(
        path, rate=8.0, profile=Profile.OBSERVABLE, detect__imgsz=640, cover__style="pixelate", keep_audio=None
    )
    assert (changed.rate, changed.profile, changed.keep_audio) == (8.0, Profile.OBSERVABLE, True)
    assert (changed.detect.imgsz, changed.detect.confidence) == (640, 0.4)
    assert changed.cover.style == "pixelate"


def test_false_and_zero_are_changes(config):
    path = config("keep_audio: true\nmax_fill_s: 3\n")
    assert read_settings(path, keep_audio=False, max_fill_s=0).keep_audio is False
    assert read_settings(path, keep_audio=False, max_fill_s=0).max_fill_s == 0


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "rate": st.floats(0.1, 60),
            "profile": st.sampled_from([profile.value for profile in Profile]),
            "blur": st.sampled_from([blur.value for blur in Blur]),
            "keep_audio": st.booleans(),
            "max_fill_s": st.floats(0, 100),
            "cover": st.fixed_dictionaries({"margin": st.floats(0, 2), "cells": st.integers(2, 8)}),
            "state_weights": st.dictionaries(st.sampled_from([s.value for s in State]), st.floats(0, 1)),
        },
    )
)
def test_what_a_session_keeps_can_be_read_again(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "again.yaml"
    path.write_text(yaml.safe_dump(content))
    first = read_settings(path)
    path.write_text(yaml.safe_dump(first.model_dump(mode="json")))
    assert read_settings(path) == first


def test_nine_lines_that_stand_for_all_memory(config):
    rows = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "is not valid YAML near line 2" in refusal(config(rows))


MONSTROUS = ["[" * 100_000, "x" * 400_000, f"{'x' * 100_000}: 1", f"blur: {'x' * 200_000}", f"rate: {'9' * 4000}"]


@pytest.mark.parametrize("content", MONSTROUS, ids=range(5))
def test_monstrous_settings_are_refused_in_a_short_sentence(config, content):
    assert len(refusal(config(content))) < 500


def test_settings_that_never_end(tmp_path):
    (tmp_path / "endless").symlink_to("/dev/zero")
    assert "not a plain file" in refusal(tmp_path / "endless")
