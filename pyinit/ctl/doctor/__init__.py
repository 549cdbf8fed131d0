"""`pyinitctl doctor`: what goes wrong in a container without a proper init, and what to do about it."""
