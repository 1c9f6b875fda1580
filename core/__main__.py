"""`python -m core`: every operator action without a browser."""

from core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
