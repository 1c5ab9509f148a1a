"""Translation between Qdrant's models and Qdrant Edge's objects: pure, nothing is read or written.

Edge takes no JSON and no dicts, and its objects can be neither pickled nor compared, so they live only for one call.
"""
