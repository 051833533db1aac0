"""What is answered, whoever asks: over HTTP or on the command line."""
