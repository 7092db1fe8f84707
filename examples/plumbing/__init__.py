"""What the demos of both example apps have in common: no part of either service."""
