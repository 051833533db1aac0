"""What the rules of governance say: pure functions, plain values in, a verdict or a number out. One module an area."""
