"""What `bench_honesty.py` is made of: tiles, counts of every setting on each of them, and simulated tunings."""
