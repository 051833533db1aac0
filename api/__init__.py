"""HTTP and the command line: doors. They authenticate, parse, translate and answer; what an event means is not their business."""
