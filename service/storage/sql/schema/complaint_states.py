"""The values of complaints.state: STANDING counts, REPEAT would if the standing one were withdrawn."""

STANDING, REPEAT, WITHDRAWN, MACHINE = 0, 1, 2, 3
