"""History: what the recorder folded, kept in the console's store, coarser with age, and merged exactly."""
