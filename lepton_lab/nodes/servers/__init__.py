"""Real redis-server processes for one machine: finding the program, starting, watching and ending
them.
"""
