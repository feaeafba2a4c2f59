"""Questions that bind: put, answered once, and what a yes performs."""
