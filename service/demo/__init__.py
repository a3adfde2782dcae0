"""The demo: a generated world and what the service finds in it. Nothing in here is about real people."""
