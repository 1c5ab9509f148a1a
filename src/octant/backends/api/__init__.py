"""Encoders that ask a service over HTTP: one file per provider, and what they share.

What is encoded leaves this machine: texts as they are, images and sounds as octant decoded and encoded them again.
`service` keeps the key, the pace and the retries; `encoders` makes requests of media and checks the answers.
"""
