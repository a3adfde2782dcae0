"""What is kept of people and for how long: filters, secrets, retention, erasure."""
