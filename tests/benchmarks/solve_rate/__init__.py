"""The evaluation of @coder: how many small repairs it solves, beside mini-swe-agent with the same model and budget."""
