import json

import pytest

from consent.errors import ConsentError
from consent.seat_map import place, read_seat_map
from consent.zones import Zone

A2 = {"name": "A2", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]]}
C1 = {"name": "C1", "polygon": [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6], [0.5, 0.6], [0.5, 0.5]]}


@pytest.fixture
def seat_map(tmp_path):
    def write(content):
        path = tmp_path / "room.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "not valid"),
        ({}, "seats is not valid"),
        ({"seats": []}, "seats is not valid"),
        ({"seats": [A2], "room": "1"}, "room is not valid"),
        ({"seats": [{"name": "A2"}]}, r"seats\.0\.polygon is not valid"),
        ({"seats": [A2, {**C1, "name": "  "}]}, r"seats\.1\.name is not valid"),
        ({"seats": [{**A2, "polygon": [[0.1, 0.2, 0.3]]}]}, r"seats\.0\.polygon\.0"),
        ({"seats": [{**A2, "polygon": []}]}, "seat 'A2': a polygon of 0 points"),
        ({"seats": [{**A2, "polygon": [[0, 0], [1, 1], [1, 0], [0, 0.9]]}]}, "seat 'A2': .*cross"),
        ({"seats": [A2, {**C1, "name": " A2 "}]}, "names seat 'A2' twice"),
    ],
)
def test_what_is_no_seat_map(seat_map, content, words):
    path = seat_map(content)
    with pytest.raises(ConsentError, match=words) as caught:
        read_seat_map(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "room.json" in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(ConsentError, match="cannot be read"):
            read_seat_map(path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConsentError, match="is not JSON"):
        read_seat_map(tmp_path / "binary.json")


def test_seats_by_name_in_their_order(seat_map):
    zones = read_seat_map(seat_map({"seats": [C1, A2]}))
    assert list(zones) == ["C1", "A2"]
    assert zones["A2"] == Zone(0.1, 0.1, 0.9, 0.1, 0.1, 0.9)
    assert zones["C1"].corners == (0.5, 0.5, 0.6, 0.6)


def test_a_place_is_said_in_one_way(seat_map):
    path = seat_map({"seats": [A2]})
    assert place(None, None, None) is None
    assert place("0,0,1,1", None, None) == place(None, "0,0,1,1", None) == Zone(0, 0, 1, 1)
    assert place(None, " A2 ", path) == Zone(0.1, 0.1, 0.9, 0.1, 0.1, 0.9)
    for given, words in (
        (("0,0,1,1", "A2", path), "give one of them"),
        ((None, None, path), "without a seat"),
        (("0,0,1,1", None, path), "without a seat"),
        ((None, "B7", path), r"'B7' is not in seat map .*; it has A2"),
        ((None, "A2", None), "add --seat-map FILE"),
    ):
        with pytest.raises(ConsentError, match=words):
            place(*given)


@pytest.mark.parametrize(
    "content",
    [
        '{"seats":' + "9" * 5000 + "}",
        "[" * 100_000,
        {"seats": [A2], "x" * 100_000: 1},
        {"seats": [{**A2, "name": "x" * 100_000}]},
        {"seats": [{**A2, "polygon": [[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]] * 1000}]},
        {"seats": [{**C1, "polygon": [[1e308, -1e308]] * 3}]},
    ],
    ids=range(6),
)
def test_a_monstrous_seat_map_is_refused_in_a_short_sentence(seat_map, content):
    with pytest.raises(ConsentError) as caught:
        read_seat_map(seat_map(content))
    assert len(str(caught.value)) < 600


def test_a_seat_map_larger_than_any_room(seat_map):
    with pytest.raises(ConsentError, match="larger than 1 MB"):
        read_seat_map(seat_map(" " * 1_000_001))
