"""`python -m api.cli` is `change-ledger`."""

from api.cli import main

if __name__ == "__main__":
    main()
