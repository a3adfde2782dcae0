"""`brigadewatch audit`: the same detection over files, without a server."""
