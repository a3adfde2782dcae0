"""Labels, explanations and units of the thresholds, as admins read them."""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ThresholdText:
    """How one threshold is presented."""

    name: str
    label: str
    hint: str
    unit: str
    scale: int = 1  # stored value / shown value: seconds per day


@dataclass(frozen=True, slots=True)
class ThresholdFamily:
    """Thresholds that belong together."""

    title: str
    description: str
    members: tuple[ThresholdText, ...]


FAMILIES = (
    ThresholdFamily(
        "What becomes a case",
        "How certain coordination must be before a group becomes a case, and how many cases you can handle per day.",
        (
            ThresholdText(
                "flag_score",
                "Minimum coordination score",
                "Higher values give fewer but more certain cases. At 0 coordination is as likely as not, at 2 about"
                " 7 to 1, at 4 about 50 to 1.",
                "log-odds",
            ),
            ThresholdText(
                "min_members", "Minimum group size", "Two accounts alone can easily be a coincidence.", "accounts"
            ),
            ThresholdText(
                "flags_per_day",
                "New cases per day",
                "Further groups wait, those of the lowest priority longest. They still count as coordinated in the"
                " meantime.",
                "cases",
            ),
        ),
    ),
    ThresholdFamily(
        "How complaints count",
        "How complaints are weighed when your platform asks for advice before a removal.",
        (
            ThresholdText(
                "default_threshold",
                "Removal threshold",
                "The number of complaints at which your platform removes content, unless it states another number in"
                " its request.",
                "complaints",
            ),
            ThresholdText(
                "prior_unfounded",
                "Assumed share of unfounded complaints before review",
                "How likely the complaints of a coordinated group are unfounded as long as no moderator has reviewed"
                " any of its targets. Higher values hold more removals.",
                "0 to 1",
            ),
        ),
    ),
    ThresholdFamily(
        "Time window",
        "Only complaints within this period are compared with each other.",
        (
            ThresholdText(
                "window_seconds",
                "Window",
                "A longer window finds slower groups but needs proportionally more memory and time.",
                "days",
                _DAY,
            ),
        ),
    ),
    ThresholdFamily(
        "Warnings to reporters",
        "When to suggest a warning about unfounded complaints. A person always decides (DSA, Art. 23).",
        (
            ThresholdText(
                "warn_unfounded",
                "Minimum number of unfounded complaints",
                "Rejected by moderators, or in a group decided to be a brigade, within the period below.",
                "complaints",
            ),
            ThresholdText(
                "warn_share",
                "Minimum share of unfounded complaints",
                "0.8 means 8 of 10 of the complaints that were reviewed or are in such a group.",
                "0 to 1",
            ),
            ThresholdText("warn_period_seconds", "Period", "Older complaints are ignored.", "days", _DAY),
        ),
    ),
)

METHOD = (
    ThresholdText(
        "neighbours",
        "Complaints compared per target",
        "A new complaint is compared with this many of the latest complaints on the same target.",
        "complaints",
    ),
    ThresholdText(
        "reporter_cap",
        "Complaints compared per reporter",
        "Only this many of a reporter’s latest complaints are compared with those of another reporter.",
        "complaints",
    ),
    ThresholdText(
        "default_shape",
        "Initial shape of the chance model",
        "Shape of the gamma distribution of affinity, used until the first sweep has fitted it.",
        "",
    ),
    ThresholdText(
        "default_rate",
        "Initial rate of the chance model",
        "Rate of the gamma distribution of affinity, used until the first sweep has fitted it.",
        "",
    ),
    ThresholdText(
        "false_discovery_rate",
        "Accepted share of false pairs",
        "Among the pairs of reporters considered linked, at most this share is expected to be chance"
        " (Benjamini-Hochberg).",
        "0 to 1",
    ),
    ThresholdText(
        "weak_p",
        "Limit for weak pairs",
        "Pairs that chance alone would produce more often than this are dropped.",
        "0 to 1",
    ),
    ThresholdText(
        "growth_p",
        "Limit for adding an account to a group",
        "An account joins a group only if chance alone would produce its match less often than this, corrected for the"
        " number of candidates.",
        "0 to 1",
    ),
    ThresholdText(
        "regrow_share",
        "New complaints before a group is rebuilt",
        "A known group is rebuilt when this share of its complaints is new; small groups are rebuilt immediately.",
        "0 to 1",
    ),
    ThresholdText(
        "text_min_words",
        "Minimum text length",
        "Texts with fewer different words are treated as preset reasons and not compared.",
        "words",
    ),
)

THRESHOLD_TEXTS = {text.name: text for text in (*(one for family in FAMILIES for one in family.members), *METHOD)}

# What a change of these does after it is put in force, and so is in no dry run.
_WARNINGS = "Warnings are considered when a reporter's next complaint is judged."
LATER = {
    "flags_per_day": "The daily limit is for new cases: none that is flagged already is held back.",
    "warn_unfounded": _WARNINGS,
    "warn_share": _WARNINGS,
    "warn_period_seconds": _WARNINGS,
}
