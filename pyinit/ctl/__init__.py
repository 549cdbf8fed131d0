"""pyinitctl: for people at a terminal. Imports from the init, never the reverse, and is no part of the zipapp."""
