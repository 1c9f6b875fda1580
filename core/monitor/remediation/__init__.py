"""Remediation: what the console may do by itself about a breach, when, and whether it helped."""
