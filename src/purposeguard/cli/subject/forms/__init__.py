"""The forms of what a person is told: for a terminal, as JSON, and as one HTML page."""
