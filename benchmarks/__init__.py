"""Measurements that anyone can repeat. Absolute times depend on the machine: the ratios are what counts."""
