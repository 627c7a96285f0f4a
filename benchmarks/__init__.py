"""What publishing and auditing cost, side by side with peers: `python -m benchmarks`."""
