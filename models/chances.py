"""How often each sign shows in each state: the evidence table of the state model, P(sign | state), with its sources.

The evidence of a second for state k against state l is the sum over signs of share · log(P(sign | k) / P(sign | l)):
naive Bayes with soft observations. None of these numbers is fitted to the demo clip or to the lecture stills. Where a
measurement exists it is used (*FineEdu*: poses by action in 125,202 annotations of 88 lessons, printed by
``benchmarks/transitions.py``; *rooms*: the classifier's answers in classrooms it never saw, ``benchmarks/states.py``);
the others are conventions in round numbers with the reason beside them. ``engage train states`` replaces them by what
instructors confirm.
"""

from __future__ import annotations

from models.states import Way

S = Way

CHANCES: dict[Way, dict[str, float]] = {}
"""Per way of a state to show, the chance of each sign; those of one cue sum to 1."""


def _cue(signs: tuple[str, ...], rows: dict[Way, tuple[float, ...]]) -> None:
    for way, row in rows.items():
        CHANCES.setdefault(way, {}).update(zip(signs, row, strict=True))


# Where the head points. FineEdu (lower, aside or around, lift): attentive 0.00 0.47 0.53, distracted without a phone
# 0.12 0.67 0.20 and with one 0.85 0.14 0.01, discussing 0.31 0.67 0.02, taking notes 0.85 0.14 0.01, bored (asleep or
# yawning) 0.63 0.21 0.16. There aside is by the picture: those who look at the board from the side count, which a
# direction relative to the seat's own does not. Lowered, half way down, is where a propped or slumped head is; a
# notebook lies 25 deg and more below the board. Writers look up to the board every few seconds. Confused students were
# not annotated: as attentive ones, but lower.
_cue(
    ("ahead", "aside", "lowered", "bowed", "hidden"),
    {
        S.ATTENTIVE: (0.84, 0.06, 0.05, 0.02, 0.03),
        S.DISTRACTED: (0.17, 0.66, 0.07, 0.05, 0.05),
        S.CONFUSED: (0.78, 0.06, 0.10, 0.03, 0.03),
        S.BORED: (0.28, 0.12, 0.40, 0.15, 0.05),
        S.DISCUSSING: (0.05, 0.65, 0.16, 0.10, 0.04),
        S.TAKING_NOTES: (0.12, 0.08, 0.17, 0.53, 0.10),
    },
)
# Movement of upper body and desk while the head is down: what tells writing from looking at a phone, by definition. A
# writing arm moves both nearly all of five seconds, thumbs hardly do, and a propped head is still.
_cue(
    ("busy", "idle"),
    {
        S.ATTENTIVE: (0.35, 0.65),
        S.DISTRACTED: (0.15, 0.85),
        S.CONFUSED: (0.30, 0.70),
        S.BORED: (0.10, 0.90),
        S.DISCUSSING: (0.60, 0.40),
        S.TAKING_NOTES: (0.80, 0.20),
    },
)
# Two neighbours turned to each other: what discussing means; by chance, when both look about, it is rare.
_cue(
    ("mutual", "alone"),
    {
        S.ATTENTIVE: (0.02, 0.98),
        S.DISTRACTED: (0.08, 0.92),
        S.CONFUSED: (0.04, 0.96),
        S.BORED: (0.02, 0.98),
        S.DISCUSSING: (0.75, 0.25),
        S.TAKING_NOTES: (0.03, 0.97),
    },
)
# In a pair each speaks half of the time at most, and the mouth of one turned away is not always seen.
_cue(
    ("talking", "silent"),
    {
        S.ATTENTIVE: (0.12, 0.88),
        S.DISTRACTED: (0.12, 0.88),
        S.CONFUSED: (0.12, 0.88),
        S.BORED: (0.08, 0.92),
        S.DISCUSSING: (0.45, 0.55),
        S.TAKING_NOTES: (0.08, 0.92),
    },
)
# Rooms: the likeliest answer of a classifier that never saw the room, by annotated behaviour (7,940 students of three
# rooms: lookup 0.83 right, read 0.60, stand 0.58, turn_head 0.28, write 0.17, raise_hand 0.15, discuss 0.00), over what
# a student in each state does by convention: attentive looks up (0.85), turns (0.05), raises a hand or stands; taking
# notes writes (0.5), reads (0.4); distracted turns (0.4), looks up (0.35), reads, as it seems (0.25); discussing is
# annotated as discuss (0.7); bored looks up (0.5) or down as if reading (0.35); confused looks up (0.85) or down. Three
# quarters of each row are the mean of all, and 0.01 is added: three rooms of one kind of school are few.
_cue(
    ("write", "read", "lookup", "turn_head", "raise_hand", "stand", "discuss"),
    {
        S.ATTENTIVE: (0.025, 0.244, 0.548, 0.104, 0.028, 0.022, 0.029),
        S.DISTRACTED: (0.028, 0.279, 0.492, 0.124, 0.027, 0.017, 0.033),
        S.CONFUSED: (0.026, 0.254, 0.546, 0.103, 0.026, 0.017, 0.028),
        S.BORED: (0.028, 0.285, 0.503, 0.111, 0.027, 0.017, 0.029),
        S.DISCUSSING: (0.026, 0.280, 0.432, 0.170, 0.038, 0.026, 0.028),
        S.TAKING_NOTES: (0.048, 0.365, 0.416, 0.102, 0.026, 0.017, 0.026),
    },
)
# A hand up asks or answers. A hand props a tired head or a thinking one, and comes to the face at other times too.
_cue(
    ("raised", "not_raised"),
    {
        S.ATTENTIVE: (0.060, 0.940),
        S.DISTRACTED: (0.010, 0.990),
        S.CONFUSED: (0.030, 0.970),
        S.BORED: (0.010, 0.990),
        S.DISCUSSING: (0.030, 0.970),
        S.TAKING_NOTES: (0.010, 0.990),
    },
)
_cue(
    ("hand_at_face", "hand_away"),
    {
        S.ATTENTIVE: (0.15, 0.85),
        S.DISTRACTED: (0.15, 0.85),
        S.CONFUSED: (0.40, 0.60),
        S.BORED: (0.50, 0.50),
        S.DISCUSSING: (0.12, 0.88),
        S.TAKING_NOTES: (0.12, 0.88),
    },
)
# A tilted head goes with perplexity and with a propped head (Craig, D'Mello, Witherspoon & Graesser 2008, Cognition and
# Emotion 22(5)); writers tilt it to the page.
_cue(
    ("tilted", "upright"),
    {
        S.ATTENTIVE: (0.10, 0.90),
        S.DISTRACTED: (0.20, 0.80),
        S.CONFUSED: (0.45, 0.55),
        S.BORED: (0.45, 0.55),
        S.DISCUSSING: (0.25, 0.75),
        S.TAKING_NOTES: (0.20, 0.80),
    },
)
# Brow lowerer (AU4) and lid tightener (AU7) are the signs of confusion that replicate (McDaniel et al. 2007, CogSci;
# Grafsgaard et al. 2011, ACII), and lids that close slowly those of weariness (PERCLOS). Half of the time none shows.
_cue(
    ("furrowed", "relaxed"),
    {
        S.ATTENTIVE: (0.12, 0.88),
        S.DISTRACTED: (0.12, 0.88),
        S.CONFUSED: (0.50, 0.50),
        S.BORED: (0.10, 0.90),
        S.DISCUSSING: (0.15, 0.85),
        S.TAKING_NOTES: (0.20, 0.80),
    },
)
_cue(
    ("drowsy", "narrowed", "open"),
    {
        S.ATTENTIVE: (0.03, 0.12, 0.85),
        S.DISTRACTED: (0.06, 0.14, 0.80),
        S.CONFUSED: (0.05, 0.35, 0.60),
        S.BORED: (0.40, 0.25, 0.35),
        S.DISCUSSING: (0.04, 0.16, 0.80),
        S.TAKING_NOTES: (0.10, 0.25, 0.65),
    },
)
# A yawn lasts 5 s; a bored student yawns about once in a minute and a half, others a tenth as often.
_cue(
    ("yawning", "no_yawn"),
    {
        S.ATTENTIVE: (0.006, 0.994),
        S.DISTRACTED: (0.008, 0.992),
        S.CONFUSED: (0.006, 0.994),
        S.BORED: (0.060, 0.940),
        S.DISCUSSING: (0.010, 0.990),
        S.TAKING_NOTES: (0.006, 0.994),
    },
)
# Who looks at a phone bows as who reads and writes does (FineEdu, see above), and all that follows from a bowed head is
# the same; the rooms' classifier knows no phones and answers as for a reader. What differs is what the hands do: hardly
# anything.
CHANCES[S.ON_PHONE] = {**CHANCES[S.TAKING_NOTES], "busy": 0.15, "idle": 0.85}
