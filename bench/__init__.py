"""Measurements, each beside a raw baseline taken in the same run: `make bench` prints them and writes
`bench/results.md`.

What belongs here: what is measured, how, and against what. A test with a time limit never does.
"""
