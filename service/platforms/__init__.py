"""Platforms: what each one sends, as complaints and outcomes. PURE: one file a platform, payload in, items out.

A platform that posts has an adapter (service/platforms/adapters.py lists them) and a native signature; a platform that
is polled is read by service/polling.
"""

POSTING = ("discourse", "mastodon", "coral", "coop", "generic")  # have a path under /v1/webhooks
POLLED = ("coral", "lemmy", "ozone")  # are asked, at the source's url; Coral posts besides
PLATFORMS = tuple(dict.fromkeys(POSTING + POLLED))
MAY_BE_UNSIGNED = ("discourse",)  # sends no signature where no secret was set; everybody else always authenticates
