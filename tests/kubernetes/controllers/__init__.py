"""What a cluster does by itself: each controller looks at what changed and writes what follows from it."""
