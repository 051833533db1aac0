"""What goes out: published checkpoints, and witnesses that are asked for their cosignatures."""
