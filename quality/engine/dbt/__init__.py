"""dbt, in a process of its own: the parent's side, the worker, and the projects it is given."""
