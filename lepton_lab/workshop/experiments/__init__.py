"""What the cells of one notebook call, in a file with its number. `speed` serves several."""
