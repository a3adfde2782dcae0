"""Documents to canonical item lines, with an error for every item that is refused. PURE: the caller passes the time."""
