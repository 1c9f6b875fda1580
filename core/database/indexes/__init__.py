"""The performance indexes: the set, the true state of each, the preflight, and runs that build and drop them."""
