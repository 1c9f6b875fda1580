"""System: what the machine, its limits and this process are at, looked at by one thread."""
