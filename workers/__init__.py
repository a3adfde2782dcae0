"""The processes that think: ingest, detection, sweeps, and the clock that wakes them."""
