"""Platforms: what each one sends, as complaints and outcomes. PURE: payload in, items out.

Each platform declares itself as PLATFORM in the module of its name; platform.py says what that contains. A new platform
is that module, and its name in NAMES.
"""

NAMES = ("discourse", "mastodon", "coral", "coop", "generic", "lemmy", "ozone")
