"""Evidence about a group, one file a signal. PURE.

A signal is one file here, which declares its name, its title, how it is measured, what it adds to the score and the
sentence that people read (signal.Signal), and one line in registry.py.
"""
