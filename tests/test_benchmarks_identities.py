"""Identities as the benchmarks read and count them: nobody, one, perfect, swapped; files in MOT format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.identities import (
    NOBODY,
    Known,
    Scene,
    Switch,
    detections,
    iou,
    mot15,
    perfect,
    read_detections,
    read_mot,
    score,
    switches,
)
from models.yolo import keep_quiet

keep_quiet()  # before Ultralytics is imported

from benchmarks.followers import Ours, filled, follow, followers, numbered, stitched  # noqa: E402
from benchmarks.simulated_class import simulate  # noqa: E402


def seated(*people: int) -> Known:
    """People on their own seats, 100 px apart."""
    left = np.array(people, float) * 100
    boxes = np.stack([left, np.zeros(len(people)), left + 50, np.full(len(people), 80.0)], axis=1)
    return np.array(people, int), boxes.reshape(-1, 4)


def called(frame: Known, *numbers: int) -> Known:
    return np.array(numbers, int), frame[1]


def scene(truth: list[Known]) -> Scene:
    found = [detections(boxes, np.full(len(boxes), 0.9)) for _, boxes in truth]
    looks = [np.eye(100, dtype=np.float32)[who] for who, _ in truth]
    return Scene("made up", 0.2, [0.2 * frame for frame in range(len(truth))], found, looks, truth)


# degenerate


def test_nobody_there_and_nobody_found():
    made = score([NOBODY] * 3, [NOBODY] * 3)
    assert (made.ids, made.people, made.switches) == (0, 0, 0)
    assert score([], []).people == 0


def test_nobody_found():
    made = score([seated(1, 2)] * 3, [NOBODY] * 3)
    assert (made.hota, made.idf1, made.mota, made.ids, made.people) == (0, 0, 0, 0, 2)


def test_somebody_found_in_an_empty_room():
    made = score([NOBODY] * 3, [seated(1, 2)] * 3)
    assert (made.hota, made.idf1, made.ids, made.people) == (0, 0, 2, 0)


def test_one_frame():
    made = score([seated(7)], [called(seated(7), 3)])
    assert made.hota == pytest.approx(100)
    assert (made.idf1, made.mota, made.ids, made.people) == (100, 100, 1, 1)


def test_no_overlap_of_nobody():
    assert iou(NOBODY[1], seated(1, 2)[1]).shape == (0, 2)
    assert iou(seated(1, 2)[1], NOBODY[1]).shape == (2, 0)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        score([NOBODY] * 2, [NOBODY])


# known values


def test_other_numbers_for_the_same_people_are_perfect():
    truth = [seated(1, 2, 3), seated(2), NOBODY, seated(1, 3)]
    given = [called(truth[0], 30, 10, 20), called(truth[1], 10), NOBODY, called(truth[3], 30, 20)]
    made = score(truth, given)
    for value in (made.hota, made.det_a, made.ass_a, made.idf1, made.mota):
        assert value == pytest.approx(100)
    assert (made.switches, made.ids, made.people) == (0, 3, 3)
    assert list(switches(truth, given)) == []


@pytest.mark.parametrize("half", [1, 5, 20])
def test_two_numbers_swapped_halfway(half):
    """Each person has each number for half of the time: a match is worth 1/3 (h common of 3h), IDF1 a half."""
    truth = [seated(1, 2)] * (2 * half)
    given = [called(truth[0], 1, 2)] * half + [called(truth[0], 2, 1)] * half
    made = score(truth, given)
    assert made.det_a == pytest.approx(100)
    assert made.ass_a == pytest.approx(100 / 3)
    assert made.hota == pytest.approx(100 / 3**0.5)
    assert made.idf1 == pytest.approx(50)
    assert made.switches == 2
    assert made.mota == pytest.approx(100 * (1 - 2 / (4 * half)))
    assert sorted(switches(truth, given), key=lambda s: s.person) == [Switch(half, 1, 1, 2), Switch(half, 2, 2, 1)]


def test_a_new_number_after_a_gap_is_a_switch():
    truth = [seated(1)] * 6
    given = [called(truth[0], 4)] * 2 + [NOBODY] * 2 + [called(truth[0], 5)] * 2
    made = score(truth, given)
    assert (made.switches, made.ids) == (1, 2)
    assert made.idf1 == pytest.approx(100 * 2 * 2 / (6 + 4))  # twice the 2 boxes of one number
    assert made.mota == pytest.approx(100 * (1 - (2 + 1) / 6))  # 2 missed, 1 switched


def test_boxes_far_off_are_nobodys():
    truth = [seated(1)] * 2
    assert score(truth, [(np.array([1]), truth[0][1] + 40)] * 2).idf1 == 0


@given(st.lists(st.sets(st.integers(1, 6)), min_size=1, max_size=8), st.permutations(range(1, 7)))
@settings(max_examples=40)
def test_names_of_numbers_do_not_matter(rooms, names):
    truth = [seated(*sorted(room)) for room in rooms]
    given = [called(frame, *(names[person - 1] for person in frame[0])) for frame in truth]
    made, plain = score(truth, given), score(truth, truth)
    assert made == plain
    assert made.hota == pytest.approx(100 if any(rooms) else 0)


# files


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return folder


def test_an_empty_file_has_nobody_in_any_frame(tmp_path):
    write(tmp_path, gt_txt="", det_txt="")
    assert [len(who) for who, _ in read_mot(tmp_path / "gt.txt", 3)] == [0, 0, 0]
    assert [len(found) for found in read_detections(tmp_path / "det.txt", 3)] == [0, 0, 0]


def test_a_sequence_is_read_as_its_files_say(tmp_path):
    folder = write(
        tmp_path,
        seqinfo_ini="[Sequence]\nname=x\nframeRate=4\nseqLength=3\n",
        gt_txt="1,5,10,20,30,40,1,-1,-1,-1\n1,6,0,0,5,5,0,-1,-1,-1\n3,5,11,20,30,40,1,0.5,1,2\n",
        det_txt="3,-1,11,21,30,40,0.75,-1,-1,-1\n",
    )
    made = mot15(folder)
    assert (made.interval_s, made.times) == (0.25, [0, 0.25, 0.5])
    assert [who.tolist() for who, _ in made.truth] == [[5], [], [5]]  # 6 has flag 0: no target
    np.testing.assert_array_equal(made.truth[0][1], [[10, 20, 40, 60]])
    assert [len(found) for found in made.found] == [0, 0, 1]
    np.testing.assert_array_equal(made.found[2].boxes_xyxy, [[11, 21, 41, 61]])
    assert made.found[2].scores.tolist() == [0.75]
    assert [said.tolist() for said in perfect(made)] == [[], [], [5]]


# trackers


@pytest.mark.parametrize("name", list(followers()))
def test_every_tracker_bears_an_empty_room_and_one_person(name):
    empty = scene([NOBODY] * 5)
    numbers, _ = follow(empty, followers()[name](0.2))
    assert [len(given) for given in numbers] == [0] * 5
    assert [len(who) for who, _ in filled(empty, stitched(empty, numbers))] == [0] * 5
    one = scene([seated(1)] * 8 + [NOBODY] * 2 + [seated(1)] * 5)
    numbers, own = follow(one, followers()[name](0.2))
    assert numbers[7] > 0
    assert numbers[7] == numbers[-1]
    assert len({int(given[0]) for given in numbers if len(given) and given[0]}) == 1
    assert not own or len(own) == 15


def test_the_offline_step_joins_what_the_tracker_lost_and_fills_short_gaps():
    clip = scene([seated(1, 2)] * 20 + [seated(2)] * 40 + [seated(1, 2)] * 15 + [seated(1)] * 5 + [seated(1, 2)] * 5)
    numbers, _ = follow(clip, Ours(0.2, confirmed_only=False))
    assert score(clip.truth, numbered(clip, numbers)).ids == 3
    joined = stitched(clip, numbers)
    made = score(clip.truth, numbered(clip, joined))
    assert (made.ids, made.switches) == (2, 0)
    assert made.idf1 == pytest.approx(100)
    there = [who.tolist() for who, _ in filled(clip, joined)]
    assert all(len(who) == 2 for who in there[75:80])  # 1 s: filled
    assert all(len(who) == 1 for who in there[20:60])  # 8 s: not


# the simulated class


def test_a_simulated_class_is_the_same_for_the_same_seed():
    one, other = (simulate(10, 0.5, 2, seed=3) for _ in range(2))
    assert len(one.times) == 60
    for first, second in zip(one.found, other.found, strict=True):
        np.testing.assert_array_equal(first.boxes_xyxy, second.boxes_xyxy)
    assert not np.array_equal(one.found[0].boxes_xyxy, simulate(10, 0.5, 2, seed=4).found[0].boxes_xyxy)


def test_a_simulated_class_misses_some_and_invents_few():
    made = simulate(30, 3, 2, seed=1)
    people = score(made.truth, made.truth)
    assert people.people == 31  # with the teacher
    assert all(len(set(who.tolist())) == len(who) for who, _ in made.truth)
    best = score(made.truth, numbered(made, perfect(made)))
    assert 70 < best.mota < 95
    assert best.switches == 0
    assert best.idf1 > 85
    for boxes, looks in zip(made.found, made.looks, strict=True):
        np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, rtol=1e-4)
        assert (boxes.boxes_xyxy[:, 2:] > boxes.boxes_xyxy[:, :2]).all()


def test_students_leave_and_come_back_to_their_seat():
    made = simulate(30, 20, 1, seed=2)
    there = np.array([[person in who for person in range(1, 31)] for who, _ in made.truth])
    gone = np.flatnonzero(~there.all(axis=0))
    assert len(gone)
    back = [p for p in gone if there[0, p] and there[-1, p]]
    assert back
    first, last = ({int(w): b for w, b in zip(*made.truth[at], strict=True)} for at in (0, -1))
    for person in back:
        height = first[person + 1][3] - first[person + 1][1]
        assert np.abs(first[person + 1][:2] - last[person + 1][:2]).max() < height  # the same seat, somewhat moved
