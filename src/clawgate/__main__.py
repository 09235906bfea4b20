"""``python -m clawgate``: the same as the ``clawgate`` command."""

from clawgate.cli.main import main

if __name__ == "__main__":
    main()
