"""A browser in a few words, from what it calls itself: for people who look for a session that is not theirs. PURE."""

from __future__ import annotations

# The first that is found wins: browsers name those that they resemble as well.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def browser_words(user_agent: str) -> str:
    """Words of ours only, like "Firefox on Linux"; nothing that the client wrote is repeated."""
    browser = next((word for mark, word in _BROWSERS if mark in user_agent), None)
    system = next((word for mark, word in _SYSTEMS if mark in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"unknown browser on {system}" if system else "unknown browser")
