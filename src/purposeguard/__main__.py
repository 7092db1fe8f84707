"""`python -m purposeguard`: the command line."""

from purposeguard.cli import main

if __name__ == "__main__":
    main()
