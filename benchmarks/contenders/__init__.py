"""One module for each contender; each is also the program of its resident process."""
