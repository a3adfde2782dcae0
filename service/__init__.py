"""brigadewatch's HTTP face, storage and everything that both processes share."""

__version__ = "0.1.0"
