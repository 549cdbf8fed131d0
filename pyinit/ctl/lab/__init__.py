"""`pyinitctl lab`: PID 1 taught by experiment. Read `experiment.py` first, then any file in `experiments/`."""
