"""A generated world, and the show of it: nothing in here is about real people."""
