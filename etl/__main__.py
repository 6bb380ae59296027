"""`python -m etl` is `centra-mews`."""

from etl.cli import main

if __name__ == "__main__":
    main()
