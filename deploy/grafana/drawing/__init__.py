"""The dashboards, as Python: panels.py and boards.py say how, the others what."""
