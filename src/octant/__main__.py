"""`python -m octant`."""

from octant.cli import main

if __name__ == "__main__":
    main()
