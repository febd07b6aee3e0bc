"""A stand-in for Azure Machine Learning on loopback, for tests alone: its REST, its storage and its scoring hosts.

It answers over TLS in the words of the real one, as far as these were recorded; what nobody recorded is said to be so
at the head of each module. Its deployments pretend, or are real processes of this machine.
"""
