"""Claude: scheduled, counted and honest answers of the Messages API, or of its rehearsal."""
