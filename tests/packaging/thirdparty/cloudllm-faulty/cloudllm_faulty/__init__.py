"""One module for each way to be wrong."""
