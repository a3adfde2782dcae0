"""Pictures of a cluster that the audit's page and the console share: plain values, SVG, and how values are written.

PURE.
"""
