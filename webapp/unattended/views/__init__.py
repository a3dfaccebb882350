"""The pages of unattended work."""
