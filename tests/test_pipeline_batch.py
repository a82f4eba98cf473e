"""Many lectures at once: none, those that cannot begin, then several processes, and a stop in the middle."""

from __future__ import annotations

import _thread
import io
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from standin import TEMPLATE, calls, prepared, recording

import pipeline.lecture_run
from pipeline.batch import Order, Quiet, Shown, jobs_of, run_here, threads_each
from pipeline.batch_summary import FILE, counted, exit_code, store, table_of
from pipeline.lecture_run import End, Outcome
from pipeline.lectures import Lecture, lectures_in
from pipeline.progress_file import Reached
from pipeline.remote import Place

WAIT_S = 60


@pytest.fixture
def order(tmp_path: Path, make_session: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Order:
    template = prepared(tmp_path, make_session(tmp_path / "made", students=2, seconds=6))
    monkeypatch.setattr(pipeline.lecture_run, "ENGAGE", template.with_name("standin_engage.py"))
    monkeypatch.setattr(pipeline.lecture_run, "POLL_S", 0.02)
    monkeypatch.setenv(TEMPLATE, str(template))
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    (tmp_path / "in").mkdir()
    return Order(str(tmp_path / "out"), tmp_path / "work")


@pytest.fixture
def own_stop() -> Iterator[None]:
    """Ctrl-C is Python's, as after ``Stop.listen``: tests before may have loaded a library that took it over."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before or signal.default_int_handler)


def ends(outcomes: list[Outcome]) -> dict[str, str]:
    return {one.video: one.end.value for one in outcomes}


# what cannot begin


def test_no_lecture_is_no_job(order) -> None:
    assert jobs_of([], order) == ([], [])
    assert run_here([], 2, Quiet(), threading.Event()) == []


def test_clashes_and_lost_maps_are_refused_and_the_rest_is_done(order) -> None:
    lectures = [
        Lecture("a/x.mp4", "a/x.mp4"),
        Lecture("b/x.mp4", "b/x.mp4"),
        Lecture("c/y.mp4", "c/y.mp4", seat_map="c/none.json"),
        Lecture("c/z.mp4", "c/z.mp4", seat_map=f"memory://{uuid.uuid4().hex}/none.json"),
        Lecture("d/w.mp4", "d/w.mp4"),
        Lecture("d/w.mp4", "d/w.mp4"),
    ]
    jobs, refused = jobs_of(lectures, order)
    assert [job.name for job in jobs] == ["w"]
    assert [(one.video, one.code) for one in refused] == [
        (name, 2) for name in ("a/x.mp4", "b/x.mp4", "c/y.mp4", "c/z.mp4")
    ]
    assert "none.json' cannot be read (No such file" in refused[2].reason


def test_a_lecture_has_its_own_options_last_and_its_own_map(order, tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text("own")
    order.words, order.course, order.given = ("--course", "A"), "A", {"--seat-map": ("all.json", b"all")}
    own = Lecture("x.mp4", "x.mp4", ("--course", "B"), str(tmp_path / "own.json"))
    (one, two), _ = jobs_of([own, Lecture("y.mp4", "y.mp4")], order)
    assert (one.name, one.words) == ("B_x", ("--course", "A", "--course", "B"))
    assert one.given["--seat-map"][1] == b"own"
    assert (two.name, two.given["--seat-map"][1]) == ("A_y", b"all")


# several at once


def test_one_that_fails_stops_no_other(order, tmp_path: Path) -> None:
    for name in ("a_good", "broken", "dies", "forbidden", "review", "z_good"):
        recording(tmp_path / "in", name)
    jobs, _ = jobs_of(lectures_in([str(tmp_path / "in")]), order)
    outcomes = run_here(jobs, 3, Quiet(), threading.Event())
    assert ends(outcomes) == {
        "a_good.mp4": "done",
        "broken.mp4": "failed",
        "dies.mp4": "done",
        "forbidden.mp4": "failed",
        "review.mp4": "needs review",
        "z_good.mp4": "done",
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_good", "dies", "review", "z_good"]
    again = run_here(jobs, 3, Quiet(), threading.Event())
    assert sorted(set(ends(again).values())) == ["failed", "skipped"]


def test_segments_are_searched_first_and_what_they_found_is_handed_over(order, tmp_path: Path) -> None:
    video = recording(tmp_path / "in", "good")
    (whole,), _ = jobs_of(lectures_in([str(tmp_path / "in")]), order)
    job = replace(whole, stretches=((0.0, 30.0), (30.0, 60.0), (60.0, float("inf"))))
    for workers in (1, 3):
        outcomes = run_here([replace(job, overwrite=True)], workers, Quiet(), threading.Event())
        assert ends(outcomes) == {"good.mp4": "done"}
        assert video.with_suffix(".found").read_text() == "0.0-30.0 30.0-60.0 60.0-inf"
    broken = recording(tmp_path / "in", "gone")
    broken.unlink()
    lost = replace(job, video=str(broken), label="gone.mp4", name="gone")
    outcomes = run_here([lost], 2, Quiet(), threading.Event())
    assert [(one.end.value, one.code) for one in outcomes] == [("failed", 2)]


def test_only_long_recordings_of_this_computer_have_segments(order, tmp_path: Path) -> None:
    recording(tmp_path / "in", "text")
    order.segment_s = 15.0
    demo = str(Path(__file__).parents[1] / "demo" / "classroom.mp4")
    lectures = [Lecture(one, one) for one in (demo, str(tmp_path / "in/text.mp4"), "memory://a/b.mp4", "/none.mp4")]
    jobs, _ = jobs_of(lectures, order)
    assert [len(job.stretches) for job in jobs] == [3, 0, 0, 0]
    order.segment_s = 40.0
    assert jobs_of(lectures[:1], order)[0][0].stretches == ()


def test_so_many_at_a_time_and_no_more(order, tmp_path: Path) -> None:
    names = [f"slow{n}" for n in range(3)]
    videos = [recording(tmp_path / "in", name) for name in names]
    jobs, _ = jobs_of(lectures_in([str(tmp_path / "in")]), order)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.extend(run_here(jobs, 2, Quiet(), threading.Event())))
    thread.start()
    begun = [video.with_suffix(".at_work") for video in videos]
    end = time.monotonic() + WAIT_S
    while sum(one.exists() for one in begun) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert calls(videos[2]) == 0
    for video in videos:
        video.with_suffix(".go").touch()
    thread.join(WAIT_S)
    assert set(ends(outcomes).values()) == {"done"}


def test_a_stop_ends_what_is_under_way_and_begins_no_more(order, own_stop, tmp_path: Path) -> None:
    videos = [recording(tmp_path / "in", f"slow{n}") for n in range(3)]
    jobs, _ = jobs_of(lectures_in([str(tmp_path / "in")]), order)

    def interrupt() -> None:
        end = time.monotonic() + WAIT_S
        while not videos[0].with_suffix(".at_work").exists() and time.monotonic() < end:
            time.sleep(0.02)
        _thread.interrupt_main()  # as Ctrl-C; a real signal may hit a thread of some library

    threading.Thread(target=interrupt).start()
    stop = threading.Event()
    outcomes = run_here(jobs, 1, Quiet(), stop)
    assert stop.is_set()
    assert set(ends(outcomes).values()) == {"stopped"}
    assert [one.reason.partition(";")[0] for one in outcomes[1:]] == ["it had not begun"] * 2
    assert [calls(video) for video in videos] == [1, 0, 0]


def test_threads_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [threads_each(workers) for workers in (1, 2, 3, 16)] == [None, 4, 2, 1]


# what is left


FAILED = Outcome("b [1].mp4", End.FAILED, "b [1].mp4: not a readable video", code=2, tries=1)
DONE = Outcome("a.mp4", End.DONE, minutes=50.0, took_s=1800.0, session="out/a", tries=1)


@pytest.mark.parametrize(
    ("codes", "code"), [((), 0), ((0, 0), 0), ((0, 2, 2), 2), ((3, 0), 3), ((2, 3), 1), ((1, 0), 1)]
)
def test_the_exit_code(codes: tuple[int, ...], code: int) -> None:
    assert exit_code([Outcome("a", End.FAILED if one else End.DONE, code=one) for one in codes]) == code


def test_how_many_ended_how() -> None:
    assert counted([]) == "no lecture"
    assert counted([FAILED, DONE, DONE]) == "2 done, 1 failed"


def printed(*things: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    for one in things:
        console.print(one)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_names_every_lecture() -> None:
    text = printed(table_of([DONE, FAILED], 1860))
    assert "1 done, 1 failed, in 31.0 min" in text
    for word in ("a.mp4", "50.0", "30.0", "out/a", "b [1].mp4: not a readable video"):
        assert word in text


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_the_same_for_programs(tmp_path: Path, kind: str) -> None:
    out = str(tmp_path / "new") if kind == "folder" else f"memory://{uuid.uuid4().hex}"
    place = store([DONE, FAILED], 1860, out)
    assert place == f"{out}/{FILE}"
    content = json.loads(Path(place).read_text() if kind == "folder" else Place(out).read(FILE) or b"")
    assert content["counts"] == {"done": 1, "skipped": 0, "needs review": 0, "failed": 1, "stopped": 0}
    assert content["lectures"][0] == {
        "lecture": "a.mp4",
        "outcome": "done",
        "reason": "",
        "minutes": 50.0,
        "took_s": 1800.0,
        "session": "out/a",
        "code": 0,
        "tries": 1,
    }


def test_bars_show_what_is_under_way_and_a_line_for_what_ended() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    shown = Shown(console, 2)
    with shown.on():
        shown.reached("a.mp4", Reached("Analyse", 3, 12, 1.5))
        shown.reached("a.mp4", Reached("Render", 6, 12, 1.5))
        assert [task.fields["stage"] for task in shown._bars.tasks] == ["", "render"]
        shown.ended(DONE)
        shown.ended(FAILED)
        assert [(task.completed, task.total) for task in shown._bars.tasks] == [(2, 2)]
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "b [1].mp4 (0.0 min): b [1].mp4: not a readable video" in text
