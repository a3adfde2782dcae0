"""The assessment of a target that platforms request before a removal, as the API returns it. PURE."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from service.model import Frozen


class ClusterOnTarget(Frozen):
    """One cluster's part in the complaints about one target."""

    id: str = Field(description="The cluster's id.")
    complaints: int = Field(description="Standing complaints about the target by the cluster's members.")
    probability: float = Field(description="Probability that the cluster is coordinated, 0 to 1.")
    unfounded_probability: float = Field(description="Probability that its complaints are unfounded, 0 to 1.")


Recommendation = Literal["wait", "hold", "review", "none"]


class Assessment(Frozen):
    """The answer to the question before a removal: how many people complained independently, and what to do."""

    target_id: str = Field(description="The target that was requested.")
    complaints: int = Field(
        description=(
            "Standing complaints that are analysed: one per reporter, without withdrawn ones and those sent by"
            " machines."
        )
    )
    trusted_notices: int | None = Field(
        description=(
            "Of `complaints`: notices of illegal content by trusted flaggers, within the area and the time of their"
            " status in the tenant's registry, or by reporters whom the platform alone calls trusted. They count in"
            " full and have priority (DSA Art. 22). Null: not counted yet, for a moment after an upgrade or after Redis"
            " lost its data."
        )
    )
    unseen: int = Field(
        description=(
            "Accepted complaints about the target that are not analysed yet. An upper bound: repeats, retries and"
            " withdrawals among them are not known before they are analysed."
        )
    )
    independent_complaints: float = Field(
        description=(
            "The same complaints with each coordinated group discounted: the more certain the group, the closer it"
            " comes to counting as one. Rounded to six decimals; never more than `complaints`."
        )
    )
    coordinated_probability: float = Field(
        description=(
            "Probability, 0 to 1, that a group among the complaints is coordinated and its complaints are unfounded;"
            " the highest of all groups on the target, 0 without any."
        )
    )
    recommendation: Recommendation = Field(
        description=(
            "`none`: decide as usual. `review`: both counts reach the threshold, and a flagged cluster is on the"
            " target: decide as usual, and have a person look at the cluster. `hold`: only `complaints` reaches the"
            " threshold: do not remove the target by count; a person looks first. `wait`: only complaints that are not"
            " analysed yet carry the target over the threshold, or members of a known group are among them: do not"
            " remove it, and ask again after `retry_after_ms`. Only callers that sent `after`, `wait`, `assess` or"
            " `counted` get `wait`; others get `hold`."
        )
    )
    retry_after_ms: int | None = Field(
        description="With `wait`: in how many milliseconds to ask again. Null otherwise."
    )
    clusters: list[ClusterOnTarget] = Field(description="The clusters whose members complained about the target.")
    without_clusters: dict[str, float] = Field(
        description=(
            "By cluster id: what `independent_complaints` would be if that cluster had not been found. At or above the"
            " threshold: the hold rests on that cluster alone."
        )
    )
    as_of: datetime = Field(description="How recent the analysis behind this answer is.")
    pending: bool = Field(
        description=(
            "True while accepted items, with `after` those up to that position, are not analysed yet, or a moderator's"
            " decision is not taken in; the answer may change within seconds."
        )
    )
