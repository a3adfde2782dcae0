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


Recommendation = Literal["hold", "review", "none"]


class Assessment(Frozen):
    """The answer to the question before a removal: how many people complained independently, and what to do."""

    target_id: str = Field(description="The target that was requested.")
    complaints: int = Field(
        description="Standing complaints: one per reporter, without withdrawn ones and those sent by machines."
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
            " threshold: do not remove the target by count; a person looks first."
        )
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
        description="True while accepted items are not yet analysed; the answer may change within seconds."
    )
