"""One file (or folder) per model library: the only places that import it. Nothing here is imported by the core."""
