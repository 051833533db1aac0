"""The log for other people's libraries."""
