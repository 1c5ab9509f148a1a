"""The scripts that make the towers of the offline starter space: `python -m octant.train.starter`."""
