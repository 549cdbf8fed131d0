"""The run and its end: the loop, deadlines, orphans, the drain."""
