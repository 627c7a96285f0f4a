"""DataOps notebook suite: what a data team needs to know about itself, computed."""
