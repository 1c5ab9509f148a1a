"""Files made to break an indexer, one kind per row, and the run that must survive them all."""
