"""Alerts: rules judged over what the recorder knows, incidents as stories, and who is told."""
