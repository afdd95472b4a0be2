"""Figures as pure functions: plain data in, `plotly.graph_objects.Figure` out.

Colours of curves are set here; ground, text and grid come from the theme in the browser, so that
one figure serves light and dark.
"""
