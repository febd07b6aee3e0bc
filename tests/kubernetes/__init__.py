"""A stand-in for a Kubernetes API server, its controllers and its nodes, on loopback and for tests alone.

It answers over real HTTP in the words of the real one. Its pods pretend, or are real processes of this machine.
"""
