"""The tasks that come with StringX; a module that is added here is found by itself."""
