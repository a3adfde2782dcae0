"""Worlds of several imaginations: generators of complaints that differ in mechanism, one truth, one scorer."""
