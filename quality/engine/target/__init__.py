"""The databases that are checked: sessions, their catalogue, and what it proves."""
