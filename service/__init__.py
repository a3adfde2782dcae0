"""brigadewatch's HTTP face, storage and everything that both processes share."""

__version__ = "0.2.0"
