"""The commands of `brigadewatch`, by subject.

What a command needs is imported inside it, so that `--help` answers at once.
"""
