"""The sentences of the report that are the same for every lecture, and those that follow from a session's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.states import INFERRED_EMOTION, Profile, State
from pipeline.session import PARTS, AuditResult, Manifest, Session
from reports.blocks import day_in_words, words
from reports.weights import Rules

MOST_MODELS: Final = 4
MOST_WARNINGS: Final = 3

FORMULA: Final = (
    "For one student in one second, E = Σ weight × probability of the state, given that the student was seen. Means"
    " over students and time are weighted by the time seen, so unseen time lowers the coverage beside a number and"
    " never the number. The literature supports the order of the weights (interactive, constructive, active, passive:"
    " Chi & Wylie 2014; confusion can be productive: D’Mello et al. 2014); their values are a convention."
)
SPREAD: Final = (
    "Intervals hold 95% of what chance in time would give within one lecture (block bootstrap). They know nothing of"
    " mistakes of the networks, nor of other lectures."
)
SHARE: Final = (
    "The share engaged counts a student as engaged in a two-minute window when attentive, taking notes, discussing"
    " or confused were likelier together than not over the time seen; it needs no weights (after BERI, Lane & Harris"
    " 2015)."
)
LIMITS: Final = (
    "The states are readings of head, face, hands, desk and posture by written rules. Their numbers are conventions"
    " with sources; they were not fitted, and not validated against what students thought or learned.",
    "The index is a convention, not a grade and not a measure of learning. Compare a class with itself over one"
    " lecture, rather than courses, rooms or people; small differences mean nothing.",
    "Unseen is not disengaged: it means hidden, out of the picture, or too small to tell. Where coverage is low, trust"
    " the number beside it less.",
    "Any single second can be wrong. A student who looks away may be thinking, one who looks at the board may be far"
    " away: look at the video before you conclude.",
    "Unusual means unusual for one student in this lecture; standing up to present counts too.",
    "The networks learned from few rooms and work worse in others. Cameras, distance, glasses, disability and culture"
    " change what heads and faces look like, and none of that has been measured.",
)
USE: Final = (
    "Use it as a prompt to look at your own lecture: where did the class change, and what happened there?",
    "Do not use it to grade, rank, discipline, monitor or identify anyone, or as the ground for a decision about a"
    " person. That holds for students and for those who teach.",
    "Do not try to find out who a dot, a seat or a number is. Do not pass the session on: it is personal data.",
    "Students decided on the promise that consent can be taken back at any time; then the report is made anew.",
)
REFERENCES: Final = (
    "Chi, M. T. H. & Wylie, R. (2014). The ICAP framework. Educational Psychologist 49(4), 219–243.",
    "D’Mello, S., Lehman, B., Pekrun, R. & Graesser, A. (2014). Confusion can be beneficial for learning. Learning and"
    " Instruction 29, 153–170.",
    "Lane, E. S. & Harris, S. E. (2015). A new tool for measuring student behavioral engagement in large university"
    " classes. Journal of College Science Teaching 44(6), 83–91.",
)


def approach(manifest: Manifest) -> str:
    """How the numbers came about."""
    share = manifest.counts.analysed_frames / manifest.duration if manifest.duration > 0 else 0.0
    rate = f" about {share:.1f} times a second" if share >= 0.05 else ""
    return (
        f"The recording was looked at{rate}. A detector finds the students; a tracker, and the seat each of them keeps,"
        " give everybody one number for the whole lecture. Further networks read behaviour and the direction of heads,"
        " and MediaPipe the faces that can be seen. Written rules turn these cues into a probability of each state for"
        " each student and second, smoothed in time. Where there is no evidence the answer is unseen: nothing is"
        " guessed. Nobody is recognised, and nothing is known of a student beyond this recording."
    )


def models(session: Session) -> list[list[str]]:
    """Name and hash, what it is for and why it was chosen, measured figures: one row for each model file."""
    rows = []
    files = session.model_cards
    for file in files[:MOST_MODELS]:
        name = f"{words(file.name, 28)} (sha256 {file.sha256[:8]}…)"
        if file.card is None:
            rows.append([name, "chosen for this run", "no figures are known of this file"])
            continue
        measured = "; ".join(f"{one.measure}: {one.value} ({one.where})" for one in file.card.figures)
        rows.append([name, f"{file.card.does}; {file.card.why}", measured])
    if len(files) > MOST_MODELS:
        rows.append([f"and {len(files) - MOST_MODELS} more", "named in session.json", ""])
    return rows


def profile_sentence(profile: Profile) -> str:
    """What the profile means, and the law that is behind it."""
    emotions = " and ".join(state.label for state in State if state in INFERRED_EMOTION)
    law = "EU law (AI Act, Regulation 2024/1689, Article 5(1)(f)) prohibits AI systems that infer emotions in education"
    if any(state in INFERRED_EMOTION for state in profile.states):
        return (
            f"Profile {profile.value}: it also infers {emotions} from cues; they are guesses about an inner state."
            f" {law}, except for medical or safety reasons, and other places may too: take legal advice first. The"
            f" profile {Profile.OBSERVABLE.value} leaves both out."
        )
    return (
        f"Profile {profile.value}: behaviour only; {emotions} are not inferred, because inferring emotions in education"
        f" is prohibited in some places. {law}, except for medical or safety reasons."
    )


def consent_facts(manifest: Manifest, rules: Rules) -> list[tuple[str, str]]:
    """Under which permission, who is covered and how it was checked, how long it is kept."""
    gone = len(manifest.withdrawals)
    covered = {"opted-out": "of those who said no", "everyone": "of everybody", "nobody": "of nobody"}
    heads = covered.get(manifest.blur, words(manifest.blur, 40))
    if manifest.everyone_covered:
        heads = "of everybody: it was not known who those are that said no"
    pairs = [
        ("approval", words(manifest.approval, 110)),
        ("purposes", words(", ".join(manifest.purposes), 80) or "none on record"),
        ("heads covered in the video", f"{heads}; who said no has no row in any table and is in no number here"),
        ("check for faces", checked(manifest)),
        ("consent taken back", "nobody’s" if not gone else f"{gone} {'time' if gone == 1 else 'times'}; taken out"),
        ("kept until", kept(manifest)),
        ("class values", f"withheld where fewer than {rules.withhold_below} students are seen")
        if rules.withhold_below > 1
        else ("class values", "never withheld, as set for this session"),
    ]
    if manifest.warnings:
        more = len(manifest.warnings) - MOST_WARNINGS
        shown = [words(one, 110) for one in manifest.warnings[:MOST_WARNINGS]]
        pairs.append(("warnings", "; ".join(shown) + (f" (and {more} more)" if more > 0 else "")))
    return pairs


def checked(manifest: Manifest) -> str:
    """What the check of the finished video came to."""
    if manifest.audit is None:
        return "not made"
    meaning: Mapping[AuditResult, str] = {
        AuditResult.PASSED: "passed: no uncovered face was found where heads had to be covered",
        AuditResult.NEEDS_REVIEW: "needs review: a face that had to be covered shows; do not pass the video on",
    }
    return meaning.get(manifest.audit, manifest.audit.value)


def kept(manifest: Manifest) -> str:
    """The last day of each kind of data, and what was deleted already."""
    ends = [f"{kind.words} {day_in_words(day)}" for kind, day in manifest.delete_after.items()]
    gone = [
        f"{kind.words} deleted on {day_in_words(manifest.purged[kind])}" for kind in PARTS if kind in manifest.purged
    ]
    return "; ".join([*ends, *gone]) or "no end date is on record"


def how_to_cite(version: str) -> str:
    """The software as a reference, with the version that made the session."""
    return (
        f"Classroom Engagement, version {words(version, 30)} [computer software], AGPL-3.0. State with any number the"
        " profile, the weights, the coverage and the interval."
    )
