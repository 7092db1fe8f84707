"""The pure part: a policy document, its compiled matrix, and the decision. No I/O, no clock."""
