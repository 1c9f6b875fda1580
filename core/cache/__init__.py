"""The cache: its Redis tier."""
