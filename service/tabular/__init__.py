"""Tables that people export from forums and spreadsheets, read as complaints and outcomes.

`reading.py` is the way in. Modules say in their first line whether they are PURE.
"""
