"""`python -m threadline_server` is `threadline`."""

from threadline_server.cli.main import main

if __name__ == "__main__":
    main()
