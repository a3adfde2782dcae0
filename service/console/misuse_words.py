"""How the page about a reporter's notices names steps and fields; a form that was kept is shown in the same words."""

from __future__ import annotations

from service.moderation.misuse import Step

BUTTONS: dict[Step, str] = {
    "warned": "I have sent a warning",
    "suspended": "We have suspended processing",
    "restored": "We process notices again",
}
GRAVITY = "How grave is the misuse, and what did it lead to?"
INTENTION = "Their intention, if you can tell"
SUSPENSIONS = {7: "1 week", 14: "2 weeks", 30: "30 days", 90: "90 days", 180: "180 days"}
