"""Colours and type in two themes; curves have those of `trainer.palette`.

Nothing is fetched: the fonts are the system's own.
"""

from trainer.palette import PALETTE

TRUE_POSITIVE = (0, 158, 115)
FALSE_POSITIVE = (230, 159, 0)
FALSE_NEGATIVE = (204, 51, 153)

DIP = "#D55E00"
NEUTRAL = "#8C8C8C"

# Light to dark in even steps of lightness, readable in grey (viridis' blue-green half).
SEQUENTIAL = (
    "#f2f6fa",
    "#d6e4ef",
    "#b6d0e4",
    "#93bad7",
    "#6ea2c9",
    "#4a8aba",
    "#2a72a8",
    "#175a8f",
    "#0c4472",
    "#062e52",
)
DIVERGING = (
    "#8c4400",
    "#b5611a",
    "#d58a4a",
    "#eab88a",
    "#f5e2cf",
    "#d6e4ef",
    "#93bad7",
    "#4a8aba",
    "#175a8f",
    "#0c4472",
)

_SYSTEM = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', 'Liberation Sans', sans-serif"
)
_MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_SHARED = {
    "font": _SYSTEM,
    "headingFont": _SYSTEM,
    "codeFont": _MONO,
    "baseFontSize": 14,
    "headingFontSizes": ["1.4rem", "1.15rem", "1rem", "0.95rem", "0.9rem", "0.85rem"],
    "headingFontWeights": [600, 600, 600, 600, 600, 600],
    "metricValueFontSize": "1.35rem",
    "baseRadius": "4px",
    "buttonRadius": "4px",
    "showWidgetBorder": True,
    "linkUnderline": False,
    "paddingTop": "0.75rem",
    "paddingBottom": "2rem",
}
_LIGHT = {
    "primaryColor": "#0B6397",
    "backgroundColor": "#FFFFFF",
    "secondaryBackgroundColor": "#F3F5F7",
    "textColor": "#1D2530",
    "linkColor": "#0B6397",
    "borderColor": "#D8DEE5",
    "dataframeHeaderBackgroundColor": "#F3F5F7",
    "dataframeBorderColor": "#E4E8ED",
    "codeBackgroundColor": "#F3F5F7",
    "codeTextColor": "#1D2530",
}
_DARK = {
    "primaryColor": "#2F8FCB",
    "backgroundColor": "#12171D",
    "secondaryBackgroundColor": "#1B222B",
    "textColor": "#DCE3EA",
    "linkColor": "#6DB9EA",
    "borderColor": "#323C48",
    "dataframeHeaderBackgroundColor": "#1B222B",
    "dataframeBorderColor": "#2A333E",
    "codeBackgroundColor": "#1B222B",
    "codeTextColor": "#DCE3EA",
}


def streamlit_options() -> dict[str, object]:
    """Return the theme as Streamlit's options, by their full names."""
    charts = {
        "chartCategoricalColors": list(PALETTE),
        "chartSequentialColors": list(SEQUENTIAL),
        "chartDivergingColors": list(DIVERGING),
    }
    options: dict[str, object] = {f"theme.{key}": value for key, value in _SHARED.items()}
    options |= {f"theme.light.{key}": value for key, value in (_LIGHT | charts).items()}
    options |= {f"theme.dark.{key}": value for key, value in (_DARK | charts).items()}
    options |= {"theme.light.sidebar.backgroundColor": _LIGHT["secondaryBackgroundColor"]}
    options |= {"theme.dark.sidebar.backgroundColor": "#0D1115"}
    return options
