"""A stand-in for `scoring`: the same two modules, and a model that does what its file says."""
