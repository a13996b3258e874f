"""What every room may use: device, threads, signals, progress, files."""
