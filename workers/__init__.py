"""Background workers: ingest, detection, sweeps and other jobs, and the clock that schedules them."""
