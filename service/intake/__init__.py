"""Documents to canonical item lines, with an error for every item that is refused. Pure: the caller brings the time."""
