"""Elections on Paillier: a ballot proves that it is valid, and custodians open only the tally.

`ballot`: casting, verifying and counting. `custody`: sharing the key so that it is never put
together.
"""
