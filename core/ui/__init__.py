"""What pages are made of, and the only Streamlit inside core."""

from core.ui.application import lifespan, middleware, routes, serve
from core.ui.frame import PageInfo, frame
from core.ui.session import guard, operator, run, services

__all__ = ["PageInfo", "frame", "guard", "lifespan", "middleware", "operator", "routes", "run", "serve", "services"]
