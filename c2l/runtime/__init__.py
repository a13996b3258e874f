"""Device, threads, signals, progress and files: helpers for every other package."""
