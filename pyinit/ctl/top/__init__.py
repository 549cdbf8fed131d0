"""`pyinitctl top`."""
