"""What the lab measures: each part beside its baseline in one run, so that its figures are ratios
that carry over.
"""
