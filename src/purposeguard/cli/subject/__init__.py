"""`purposeguard subject` and `purposeguard retention`: what is on record about people."""
