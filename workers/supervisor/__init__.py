"""The embedded shape's processes under one roof: started in order, restarted when they die, ended together."""
