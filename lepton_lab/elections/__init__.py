"""Elections on Paillier: a ballot that proves itself, and custodians who open only the tally together."""
