"""What leaves the database: signed checkpoints, exports, heads, dossiers, timestamps, and files that survive a crash."""
