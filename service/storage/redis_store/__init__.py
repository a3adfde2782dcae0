"""What Redis holds: streams, leases, job queues, totals for the question before a removal."""
