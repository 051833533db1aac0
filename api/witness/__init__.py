"""The other program: a witness that cosigns other logs' checkpoints."""
