"""The two example teams, replayed on a simulated clock.

replay      builds example warehouses: aside, switched in one step, only when inputs changed
simulation  one simulated pipeline: files land, models run, results are published or blocked
"""
