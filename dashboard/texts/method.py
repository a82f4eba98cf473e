"""Words of the page about the method."""

from __future__ import annotations

from models.states import State

WEIGHTS, MODELS, LIMITS = "Formula and weights", "Networks", "Limits and law"

FORMULA = r"E = \sum_{\text{state}} w_{\text{state}} \cdot P(\text{state} \mid \text{seen})"
TRY = "Try other weights"
TRY_HELP = "Nothing is stored: the lecture keeps the weights it was made with. The order of the states has to be kept."
NO_LECTURE = "Once a lecture has been analysed, the weights can be tried out on it here."
NOTHING_TO_WEIGH = "There is no class value to try weights on: nobody was seen, or never enough students at once."
UNREADABLE = "The weights can not be tried on this lecture: {error}"
INDEX = "Class index"
INDEX_HELP = "Of the whole lecture. The difference is against the weights that the lecture was made with."
INTERVAL = "95% interval"
INTERVAL_HELP = "What chance in time would give within this lecture; it knows nothing of mistakes of the networks."
BAND = "Other weights"
BAND_HELP = "Where the index lies under 95% of random weights that keep the order: how much of it is convention."
NONE = "–"
RESET = "Back to the weights of the lecture"
SETTINGS = "To analyse with these weights, save this as settings.yaml and add: --config settings.yaml"
CHOSEN, MADE_WITH = "weights chosen here", "weights of the lecture"
CHART_HELP = (
    "The class over the lecture: the line is under the weights chosen here, the dashes are under those of the lecture."
)

STATE, WEIGHT, REASON = "State", "Weight", "Why there"
REASONS = {
    State.DISCUSSING.label: "interactive, the highest mode of ICAP",
    State.TAKING_NOTES.label: "constructive when in one’s own words, active when copied; a camera can not tell which",
    State.ATTENTIVE.label: "passive in ICAP: receiving without a visible product",
    State.CONFUSED.label: "helps learning when resolved and harms it when not: the middle",
    State.BORED.label: "present without taking part",
    State.DISTRACTED.label: "busy with something else",
}
"""By the name of the state as people read it."""

MODELS_OF = "The networks that this lecture was analysed with, and what was measured of exactly these files."
MODELS_SHIPPED = "The networks that come with this software, and what was measured of them."
DOES, CHOICE = "What it does", "Why this one"
MEASURE, WHERE, VALUE = "Measured", "Where", "Result"
NO_CARD = "Nothing is known of exactly this file; it was chosen for this run."
FILE = "sha256 {sha256}…"

CANNOT = "What it can not tell you"
USE = "How to use it"
LAW = "Two profiles, and the law behind them"
LAW_HELP = "The profile is chosen before an analysis. Choosing one does not by itself make a use lawful."
REFERENCES = "References"
