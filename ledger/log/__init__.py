"""One database: the tables of the log, the only way to append to it, reading and following it. It judges no statement."""
