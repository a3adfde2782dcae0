"""The moderators' console: pages rendered here, at /console."""
