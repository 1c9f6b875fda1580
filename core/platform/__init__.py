"""What the platform does and how it fares: cache, database and Claude put together."""
