"""Charts of a cluster for the audit's page and the console: plain values, SVG, and text for values. PURE."""
