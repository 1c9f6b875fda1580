"""The entry of the operator console: `streamlit run app.py`.

Streamlit imports this file once as the module `app`, which names the web application, and runs it as `__main__` for every
session, which draws the frame and the page.
"""

import streamlit as st

from core import ui

PAGES = [
    ui.PageInfo("pages/overview.py", "Overview", ":material/monitor_heart:", default=True),
    ui.PageInfo("pages/alerts.py", "Alerts", ":material/notifications:"),
    ui.PageInfo("pages/leads.py", "Leads", ":material/groups:"),
    ui.PageInfo("pages/prompts.py", "Prompts", ":material/science:"),
    ui.PageInfo("pages/claude.py", "Claude", ":material/forum:"),
    ui.PageInfo("pages/cache.py", "Cache", ":material/bolt:"),
    ui.PageInfo("pages/database.py", "Database", ":material/storage:"),
    ui.PageInfo("pages/indexes.py", "Indexes", ":material/account_tree:"),
    ui.PageInfo("pages/data.py", "Data", ":material/database:"),
    ui.PageInfo("pages/activity.py", "Activity", ":material/history:"),
]

if __name__ == "__main__":
    ui.frame(PAGES)
else:
    # Streamlit finds the application by reading this line, so it stays a literal call.
    app = st.App(__file__, lifespan=ui.lifespan, routes=ui.routes, middleware=ui.middleware)
