"""Detection: find reporters who complain together. PURE: numpy, scipy and networkx; no I/O, no clock, `now` is the
watermark.
"""
