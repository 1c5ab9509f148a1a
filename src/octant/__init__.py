"""Multimodal search on Qdrant: text, images and audio in shared embedding spaces."""
