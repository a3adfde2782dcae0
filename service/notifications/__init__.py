"""What people learn outside of the console: which cases, when, and in which words. PURE."""
