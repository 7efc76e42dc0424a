"""What the cells of one notebook call, in the file that bears its number."""
