"""The HTTP face: thin routes; problems.py turns expected failures into answers."""
