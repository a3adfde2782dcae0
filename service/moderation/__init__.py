"""What follows from clusters: assessments, decisions, the quota. Pure."""
