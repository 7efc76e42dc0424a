"""Textbook protocols: what crosses the wire, byte by byte, under the names of the standards.

Import them under a name that says what they are:
`from lepton_lab.textbook.protocols import tls13 as tb_tls13`.
"""
