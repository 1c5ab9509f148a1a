"""Trainers: what makes weights and projections from data. Needs the `train` extra."""
