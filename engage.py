"""The front door: ``engage``, a command line that only assembles the rooms.

Heavy imports happen inside the commands, so that ``engage --help`` answers at once.
"""

from __future__ import annotations

import atexit
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

import consent.commands
import dashboard.commands
import models.commands
import models.generate_commands
import pipeline.batch_commands
import pipeline.commands
import pipeline.unusual_commands
import reports.commands
from consent.policy import (
    Approval,
    Blur,
    CoverPolicy,
    Purpose,
    check_same_course,
    cover_policy,
    permit,
    purposes_of_run,
)
from consent.retention import Kind
from models.states import Profile
from pipeline.errors import kept_by

if TYPE_CHECKING:
    from pandas import DataFrame

    from consent.zones import Zone
    from pipeline.detect import Detector
    from pipeline.progress import Progress
    from pipeline.session import Session
    from pipeline.settings import Settings
    from pipeline.video import VideoReader
    from pipeline.walk import Score

DEMO = Path(__file__).parent / "demo" / "classroom.mp4"
DEMO_APPROVAL = "the demo's rendered people are nobody; no consent is needed"

ROOMS = {"pipeline", "models", "consent", "reports", "dashboard"}

errors = Console(stderr=True)
console = Console()


class Door(TyperGroup):
    """Prints a failure that a room foresaw as its one sentence and exits with its code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see the class."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, Exception) as error:
            if interrupted(error):
                say("stopped", closing_words(error))
                raise typer.Exit(1) from None
            if (code := foreseen(error)) is None:
                raise
            say("error", in_words(error))
            raise typer.Exit(code) from None


def interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C or a polite kill is behind the failure: a library that is hit may raise its own error then."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def foreseen(error: BaseException) -> int | None:
    """The exit code of a failure raised by a room for the user (see pipeline/errors.py), else ``None``."""
    ours = type(error).__module__.partition(".")[0] in ROOMS
    return getattr(error, "exit_code", None) if ours else None


def closing_words(error: BaseException) -> str:
    """What a run that was stopped leaves behind."""
    if (kept := kept_by(error)) is None:
        return "nothing half-written is left; run the same command to start again"
    return f"what was analysed is kept; run the same command to go on, or delete {kept}"


def in_words(error: BaseException) -> str:
    """A failure that a room foresaw, and what it leaves behind."""
    return f"{error}" if kept_by(error) is None else f"{error}; {closing_words(error)}"


def say(kind: str, sentence: str) -> None:
    """Print one sentence to standard error, wrapped by the terminal but never cut."""
    errors.print(f"[bold red]{kind}[/]:", end=" ")
    errors.print(sentence, markup=False, highlight=False, soft_wrap=True)


app = typer.Typer(
    cls=Door,
    help="Turn a recorded lecture into an annotated video, tables and a report: private by design.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
)


@app.command()
def run(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Recorded lectures.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the sessions.")] = Path("sessions"),
    course: Annotated[str | None, typer.Option(help="Course whose approval and opt-outs apply.")] = None,
    approved_by: Annotated[str | None, typer.Option(help="Who approved this recording, if not on record.")] = None,
    purpose: Annotated[
        list[Purpose] | None,
        typer.Option(help="What the session is for besides analysis; may be repeated. Must have been approved."),
    ] = None,
    profile: Annotated[Profile | None, typer.Option(help="All six states, or behaviour only; full by default.")] = None,
    blur: Annotated[Blur | None, typer.Option(help="Whose heads are covered; opted-out by default.")] = None,
    cover: Annotated[str | None, typer.Option(help="solid or pixelate; solid by default.")] = None,
    detector: Annotated[str | None, typer.Option(help="Weights: a name or a file; students by default.")] = None,
    imgsz: Annotated[int | None, typer.Option(help="Detector's image size, px; 960 by default.")] = None,
    rate: Annotated[float | None, typer.Option(help="Analysed frames per second; 5 by default.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N; auto by default.")] = None,
    backend: Annotated[str | None, typer.Option(help="auto, torch, openvino or tensorrt; auto by default.")] = None,
    decoder: Annotated[
        str | None, typer.Option(help="cpu, or cuda: NVIDIA's decoder, where it knows the format; cpu by default.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML with any setting.")] = None,
    students: Annotated[
        int | None, typer.Option(min=1, help="Students in the room, if somebody counted them; staff not.")
    ] = None,
    seat_map: Annotated[
        Path | None,
        typer.Option(help="JSON of the room's seats, such as seats.json of an earlier session: numbers follow it."),
    ] = None,
    staff_zone: Annotated[
        list[str] | None,
        typer.Option(help="x1,y1,x2,y2 (shares): whoever is mostly there is staff, no student; may be repeated."),
    ] = None,
    absent: Annotated[
        list[str] | None,
        typer.Option(help="Pseudonym of a student who said no and was not there; may be repeated."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing session.")] = False,
    keep_audio: Annotated[bool, typer.Option("--keep-audio", help="Keep the sound; voices identify people.")] = False,
    lecture_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="When the lecture was, for how long data is kept; default today."),
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option(hidden=True, help="Manifest of a session: one that was asked for alike is left alone."),
    ] = None,
    read_ahead: Annotated[
        list[Path] | None, typer.Option(hidden=True, help="What the networks found in segments before.")
    ] = None,
    ahead: Annotated[Path | None, typer.Option(hidden=True, help="Find in a segment only, into this file.")] = None,
    stretch: Annotated[tuple[float, float] | None, typer.Option(hidden=True, help="The segment, s.")] = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="Process without which this one ends.")] = None,
) -> None:
    """Analyse lectures: one session folder each, with the annotated video, tables and report.

    Exit codes: 0 done, 2 bad input or usage, 3 not permitted, 1 anything else, also when the check of the finished
    video finds a face that had to be covered (the session is kept).
    """
    from consent.seat_map import read_seat_map
    from pipeline.retention import checked_lecture_day
    from pipeline.settings import read_settings
    from pipeline.stopping import end_with

    if parent is not None:
        end_with(parent)
    settings = read_settings(
        config,
        profile=profile and profile.value,
        blur=blur and blur.value,
        rate=rate,
        device=device,
        decoder=decoder,
        keep_audio=keep_audio or None,
        cover__style=cover,
        detect__weights=detector,
        detect__imgsz=imgsz,
        detect__backend=backend,
        students=students,
        staff__zones=staff_zone,
    )
    purposes = purposes_of_run(purpose or (), settings.blur)
    day = checked_lecture_day(lecture_day, date.today())
    permission = Permission.on_record(course, approved_by, settings.blur, purposes, absent or (), day)
    seats = None if seat_map is None else read_seat_map(seat_map)
    if known and is_made(videos[0], known, settings, permission, seats, overwrite=overwrite):
        return
    if ahead is not None and stretch is not None:
        find_segment(videos[0], settings, permission, stretch, ahead)
        return
    _run(videos, settings, permission, out=out, overwrite=overwrite, seat_map=seats, read_ahead=read_ahead or ())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the sessions.")] = Path("sessions"),
) -> None:
    """Analyse the clip that ships with this software: 40 s of a rendered class of twelve."""
    from pipeline.settings import read_settings

    settings = read_settings(None)
    permission = Permission("demo", permit([], "demo", DEMO_APPROVAL, date.today()), cover_policy(settings.blur, []))
    _run([DEMO], settings, permission, out=out, overwrite=True)


@app.command()
def audit(
    session: Annotated[Path, typer.Argument(help="Session folder made by engage run.", show_default=False)],
    rate: Annotated[float | None, typer.Option(min=0.01, help="Frames per second to check; all by default.")] = None,
) -> None:
    """Look for uncovered faces in a session's video, and write what is found into the session.

    Where everybody had to be covered the whole picture is checked, else the seats of those who said no that are on
    record now. A face found makes the session need a review, and the exit code 1.
    """
    from consent.registry import Registry
    from pipeline.audit import AuditSettings, audit_session
    from pipeline.progress_file import shown
    from pipeline.session import AuditResult, Session
    from reports.report import write_report

    opened = Session.open(session)
    everyone = opened.manifest.everyone_covered or opened.manifest.blur == Blur.EVERYONE.value
    asked = Blur.EVERYONE if everyone else Blur.OPTED_OUT
    with Registry.open() as registry:
        policy = cover_policy(asked, registry.opt_outs(opened.manifest.course))
    with shown(console) as bars:
        checked = audit_session(opened, policy, AuditSettings(rate=rate), bars)
    if Kind.TABLES not in opened.manifest.purged:
        write_report(Session.open(session))  # it has a line about the check
    if checked.result is AuditResult.NEEDS_REVIEW:
        say("needs review", f"{session}: {checked.sentence()}; look at each, they are listed in audit.json")
        raise typer.Exit(1)
    console.print(f"{session}: {checked.sentence()}", markup=False, highlight=False, soft_wrap=True)


@consent.commands.app.command()
def withdraw(
    course: consent.commands.Course,
    student: consent.commands.Student,
    sessions: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of sessions to search besides those on record; may be repeated. Default sessions."),
    ] = None,
    originals: Annotated[
        list[Path] | None,
        typer.Option(help="Folder with the recordings: a video is made anew from its own where that is possible."),
    ] = None,
    session: Annotated[
        Path | None, typer.Option(help="Only this session, in which the student has the number given.")
    ] = None,
    number: Annotated[int | None, typer.Option(min=1, help="The student's number in --session.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Sessions on record that are gone were deleted.")] = False,
) -> None:
    """Take back a student's consent, and take the student out of every session of the course.

    Rows, figures and report are made anew without the student, and the video covers the student. It can be stopped
    and run again at any time. Exit code 1 where something is left to do: it is said what.
    """
    from consent.registry import Registry
    from pipeline.clearing import Picked, clear
    from pipeline.errors import InputError
    from pipeline.progress_file import shown
    from pipeline.search import Originals
    from pipeline.stopping import Stop
    from pipeline.withdrawal import Remake
    from reports.report import write_report

    if (session is None) != (number is None):
        raise InputError("--session and --number belong together; give both, or neither for all sessions")
    picked = None if session is None or number is None else Picked(session, number)
    kept = Originals(originals or ())
    default = Path("sessions")
    folders = sessions or ([default] if default.is_dir() else [])
    stop = Stop.listen()
    remake = Remake(lambda manifest: scorer(manifest.config), write_report)
    with Registry.open() as registry:
        withdrawal = registry.withdrawals.begin(course, student)
        with shown(console, stop) as bars:
            cleared = clear(withdrawal, registry.sessions.of_course(course), folders, kept, remake, bars, picked)
        for noted, folder in cleared.found.moved:
            registry.sessions.moved(noted, folder)
        if deleted:
            while cleared.found.lost:
                registry.sessions.deleted(cleared.found.lost.pop())
        done = cleared.finished and not cleared.found.lost
        if done:
            registry.withdrawals.end(withdrawal)
    for line in cleared.report(withdrawal, done):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for sentence in (remedies := cleared.remedies(withdrawal)):
        say("left to do", sentence)
    if remedies:
        raise typer.Exit(1)


def is_made(
    video: Path,
    known: Sequence[Path],
    settings: Settings,
    permission: Permission,
    seat_map: Mapping[str, Zone] | None,
    *,
    overwrite: bool,
) -> bool:
    """Whether one of these manifests is of a session that was asked for as this one is; then that is said.

    Raises:
        SessionError: there is a session, but of something else, and it may not be replaced.
    """
    from models.registry import file_sha256
    from pipeline.origin import asked_for
    from pipeline.said import SKIPPED
    from pipeline.session import Session, SessionError

    p = permission
    asked = asked_for(file_sha256(video), settings, seat_map, p.course, p.purposes, p.answers)
    for manifest in known:
        with suppress(SessionError):  # a damaged one is none
            if Session.open(manifest.parent).manifest.asked == asked:
                console.print(
                    f"{SKIPPED}: a session of the same recording, settings and answers is there", soft_wrap=True
                )
                return True
    if not overwrite:
        raise SessionError(
            f"{known[0].parent.name}: there is a session already, of another recording, settings or answers of"
            " students; add --overwrite to replace it"
        )
    return False


def find_segment(
    video: Path, settings: Settings, permission: Permission, stretch: tuple[float, float], into: Path
) -> None:
    """Ask the networks about the pictures of a segment, for the process that will analyse the whole lecture."""
    from pipeline.ahead import find_ahead, save
    from pipeline.detect import UltralyticsDetector
    from pipeline.progress_file import shown
    from pipeline.stopping import Stop
    from pipeline.video import VideoReader

    stop = Stop.listen()
    behaviours = not permission.policy.zones  # only the analysis knows who sits where
    with VideoReader(video, settings.decoder) as reader, shown(console, stop) as bars:
        detector = UltralyticsDetector(settings.detect, settings.device)
        batch = settings.detect.frames_at_once(detector.device, reader.info.width, reader.info.height)
        width = len(detector.behaviour_names)
        found = find_ahead(reader, detector, settings.rate, batch, stretch, behaviours, bars)
        save(into, origin(reader, detector, settings, permission), behaviours, found, width)


def origin(reader: VideoReader, detector: Detector, settings: Settings, permission: Permission) -> str:
    """The hash of whatever decides what is read of a recording."""
    from models.registry import file_sha256
    from pipeline.detect import choose_device
    from pipeline.origin import origin_of
    from pipeline.walk import model_files

    device = choose_device(settings.device)
    return origin_of(file_sha256(reader.path), model_files(detector), settings, permission.policy, device)


def _run(
    videos: list[Path],
    settings: Settings,
    permission: Permission,
    *,
    out: Path,
    overwrite: bool,
    seat_map: Mapping[str, Zone] | None = None,
    read_ahead: Sequence[Path] = (),
) -> None:
    """Process lectures one after another; one that fails does not stop the rest, but decides the exit code."""
    from pipeline.ahead import Foreseen
    from pipeline.detect import UltralyticsDetector
    from pipeline.progress_file import shown
    from pipeline.stopping import Stop
    from pipeline.video import VideoReader
    from pipeline.warm import load_beside

    stop = Stop.listen()
    detector: Detector | None = None
    worst = 0
    for video in videos:
        try:
            with VideoReader(video, settings.decoder) as reader:
                # only once a video is known to be readable: loading takes seconds
                if detector is None:
                    detector = UltralyticsDetector(settings.detect, settings.device)
                    load_beside(["reports.report"])
                if read_ahead:
                    detector = Foreseen(detector, read_ahead, origin(reader, detector, settings, permission))
                with shown(console, stop) as bars:
                    session = process(
                        reader,
                        detector,
                        settings,
                        permission,
                        out,
                        overwrite=overwrite,
                        progress=bars,
                        seat_map=seat_map,
                    )
        except Exception as error:
            code = foreseen(error)
            if code is None or len(videos) == 1 or interrupted(error):
                raise
            say("error", in_words(error))
            worst = worst or code
        else:
            worst = print_summary(session) or worst
    if worst:
        raise typer.Exit(worst)


@dataclass(frozen=True)
class Permission:
    """Under which approval a course is processed, whose heads are covered, and for how long the results are kept."""

    course: str | None
    approval: Approval
    policy: CoverPolicy
    keep_days: Mapping[Kind, int] = field(default_factory=dict)
    lecture_day: date | None = None
    withdrawals: tuple[str, ...] | None = None
    """Ids of those on record then; ``None`` where the registry was not asked (the demo)."""
    purposes: tuple[Purpose, ...] = ()
    answers: str = ""
    """Hash of who said no, for telling whether a session is as it would be made now."""

    def begin(self, name: str, folder: Path) -> None:
        """Note in the registry where a session of a course is being made: a run that never ends leaves readings."""
        from consent.registry import Registry

        if self.withdrawals is not None and self.course:
            with Registry.open() as registry:
                registry.sessions.begin(self.course, name, folder)

    def note(self, session: Session) -> None:
        """Note in the registry where a session of a course lies, so that a withdrawal finds it.

        Whoever withdrew while the lecture was analysed is in it, and that is said.
        """
        from consent.registry import Registry

        if self.withdrawals is None or not self.course:
            return
        with Registry.open() as registry:
            registry.sessions.note(self.course, session.id, session.manifest.created, session.folder)
            since = [one for one in registry.withdrawals.of_course(self.course) if one.id not in self.withdrawals]
        for one in since:
            command = f"engage consent withdraw {shlex.quote(one.course)} {shlex.quote(one.student)}"
            say("left to do", f"{one.student} withdrew while this lecture was analysed; run again: {command}")

    @classmethod
    def on_record(
        cls,
        course: str | None,
        approved_by: str | None,
        blur: Blur,
        purposes: tuple[Purpose, ...],
        absent: Sequence[str] = (),
        lecture_day: date | None = None,
    ) -> Permission:
        """Look the course's record up; once per command.

        Raises:
            NotPermitted: no valid approval for all of ``purposes``, or the record forbids what was asked.
            ConsentError: one of ``absent`` (pseudonyms) is not among those who said no.
        """
        from consent.registry import Registry
        from pipeline.origin import answers_given

        with Registry.open() as registry:
            approval = permit(registry.approvals(course), course, approved_by, date.today(), purposes)
            withdrawals = registry.withdrawals.of_course(course)
            opt_outs = registry.opt_outs(course, purposes)
            policy = cover_policy(blur, opt_outs, absent)
            keep_days = registry.retention.of_course(course)
            ids = tuple(one.id for one in withdrawals)
            answers = answers_given(opt_outs, [one.student for one in withdrawals if one.done], absent)
            return cls(course, approval, policy, keep_days, lecture_day, ids, purposes, answers)


def process(
    reader: VideoReader,
    detector: Detector,
    settings: Settings,
    permission: Permission,
    out: Path,
    *,
    overwrite: bool,
    progress: Progress,
    seat_map: Mapping[str, Zone] | None = None,
) -> Session:
    """One lecture: analyse, score, render, report; the session appears under ``out`` only when it is whole."""
    from pipeline.retention import promise
    from pipeline.session import Session
    from pipeline.store import open_session, session_id
    from pipeline.walk import walk

    name = session_id(reader.path, permission.course)
    with open_session(out, name, overwrite=overwrite, resume=True) as writer:
        if reader.info.duration is None or reader.info.duration >= settings.checkpoint_s:
            permission.begin(name, writer.final)
        walk(
            reader,
            writer,
            detector=detector,
            settings=settings,
            policy=permission.policy,
            approval=permission.approval,
            course=permission.course,
            score=scorer(settings.model_dump()),
            progress=progress,
            seat_map=seat_map,
            purposes=permission.purposes,
            answers=permission.answers,
        )
        promise(writer, permission.keep_days, permission.lecture_day, date.today())
        from reports.report import write_report  # loaded beside the analysis, see pipeline.warm

        write_report(Session.open(writer.folder))
        session = Session.open(writer.commit())
    permission.note(session)
    return session


def scorer(config: Mapping[str, Any]) -> Score:
    """The engagement formula with the rules among these settings, as the pipeline takes it."""
    from pipeline.session import EngagementSummary
    from reports import formula
    from reports.weights import Rules

    rules = Rules.on_record(config)

    def score(states: DataFrame, profile: Profile) -> tuple[DataFrame, EngagementSummary]:
        table = formula.engagement_table(states, profile, rules.weights, rules.withhold_below)
        return table, EngagementSummary.model_validate(formula.summary_fields(table))

    return score


def print_summary(session: Session) -> int:
    """The table at the end of a run; the exit code, 1 where faces still show."""
    from pipeline.summary import summary_table, what_to_review

    console.print(summary_table(session, with_end_dates=session.manifest.approval != DEMO_APPROVAL))
    console.print(f"Next: engage dashboard --sessions {session.folder.parent}", highlight=False, soft_wrap=True)
    if (sentence := what_to_review(session)) is None:
        return 0
    say("needs review", sentence)
    return 1


@consent.commands.app.command("seat")
def seat(
    course: Annotated[str, typer.Argument(help="Name of a course on record.")],
    student: Annotated[str, typer.Argument(help="Pseudonym of the student (never the name).")],
    session: Annotated[Path, typer.Option(help="Session folder of one of its lectures, the camera in the same place.")],
    number: Annotated[int, typer.Option(help="The student's number in the annotated video of that session.")],
) -> None:
    """Record where a student sits by the number in a session's video; then an opt-out needs no zone."""
    from consent.registry import Registry
    from pipeline.seat_zone import seat_of
    from pipeline.session import Session

    opened = Session.open(session)
    check_same_course(course, opened.manifest.course)
    found = seat_of(opened, number)
    with Registry.open() as registry:
        registry.students.enter(course, student, seat=found.zone)
    console.print(f"{student.strip()} sits in {found.zone}.", markup=False, highlight=False, soft_wrap=True)
    if found.others:
        say("warning", f"{student.strip()} is not told apart by this seat: {found.sentence()}")


@models.commands.train.command("states")
def train_states(
    sessions: Annotated[
        list[Path],
        typer.Argument(metavar="SESSION...", help="Session folders with corrections.csv.", show_default=False),
    ],
    config: Annotated[Path | None, typer.Option(help="YAML with the settings to start from.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the learned settings go; in the user's data folder by default.")
    ] = None,
) -> None:
    """Learn from spans that instructors confirmed or corrected; use it with engage run --config FILE.

    What is not better on students held out is not written, and the exit code is 1.
    """
    from rich.table import Table

    from models.training.states import as_yaml, train
    from pipeline.files import user_file, write_whole
    from pipeline.lessons import lessons_of, one_profile
    from pipeline.session import Session
    from pipeline.settings import read_settings

    opened = [Session.open(session) for session in sessions]
    profile = one_profile(opened)
    outcome = train(lessons_of(opened), read_settings(config).states, profile)
    table = Table("on students held out", "before", "after", "seconds")
    for row in outcome.table.itertuples():
        table.add_row(row.what, f"{row.before:.3f}", f"{row.after:.3f}", str(row.seconds))
    console.print(table)
    target = out or user_file("states.yaml")
    write_whole(target, as_yaml(outcome, profile))
    console.print(f"Next: engage run VIDEO --config {target}", markup=False, highlight=False, soft_wrap=True)


app.command()(reports.commands.report)
app.command()(reports.commands.export)
app.command("batch")(pipeline.batch_commands.with_options_of(run))
app.command()(pipeline.commands.purge)
app.command()(pipeline.unusual_commands.similar)
models.commands.train.command("anomaly")(pipeline.unusual_commands.train_anomaly)
models.commands.train.command("diffusion")(models.generate_commands.train_diffusion)
app.command()(models.generate_commands.augment)
app.command()(dashboard.commands.dashboard)
app.command(hidden=True)(dashboard.commands.work)
app.command()(models.commands.info)
app.add_typer(consent.commands.app, name="consent")
app.add_typer(models.commands.train, name="train")


def main() -> None:
    """Entry point of the console script."""
    # before NumPy is loaded: matrices are small here, and threads that wait for more take a sixth of all CPU time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except SystemExit as end:
        if "torch" in sys.modules and isinstance(end.code, int | None):
            end_at_once(end.code or 0)
        raise


def end_at_once(code: int) -> None:
    """End the process without taking down what torch has loaded piece by piece, which takes more than a second.

    It also crashes where a thread is still loading it, after a stop. All files are closed by now.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
