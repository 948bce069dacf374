"""The style of a report: light and dark as the reader's system is, readable on paper and on a telephone."""

from __future__ import annotations

from typing import Final

#: Eight colours that people with any colour vision tell apart (Okabe and Ito 2008; its yellow made darker).
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999933", "#8c6bb1")

STYLE: Final = """
:root { --ink: #1b1f24; --paper: #ffffff; --soft: #5b6570; --line: #d5dae0; --ours: #0072b2; --other: #9aa5b1;
  --bad: #b3261e; --good: #0b6b3a; --panel: #f5f7f9; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --paper: #14181d; --soft: #a3adb8; --line: #39424c;
  --ours: #56b4e9; --other: #6d7985; --bad: #ff8a80; --good: #7bd7a1; --panel: #1c2229; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.5rem; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 8px; }
section { margin-top: 32px; }
.lead, .note { color: var(--soft); margin: 0 0 8px; }
.doubt { border-left: 4px solid var(--bad); padding: 8px 12px; background: var(--panel); }
ul { padding: 0; margin: 0; list-style: none; }
li { margin: 6px 0; padding-left: 22px; position: relative; }
li::before { position: absolute; left: 0; font-weight: bold; }
.won::before { content: "\\2191"; color: var(--good); }
.lost::before { content: "\\2193"; color: var(--bad); }
.open::before { content: "\\2248"; color: var(--soft); }
.wide { overflow-x: auto; margin-bottom: 16px; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr.ours td { font-weight: 600; }
.facts td { white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .figure { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
svg .ours, svg .gain { fill: var(--ours); }
svg .other { fill: var(--other); }
svg .whisker { stroke: var(--ink); stroke-width: 1.3; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .curve { fill: none; stroke: var(--ours); stroke-width: 2; }
svg .none { fill: var(--other); opacity: 0.5; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 8px; font-size: 0.85rem; }
.legend li { padding-left: 0; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 6px; margin-right: 6px; }
.legend .none { background: var(--other); }
""" + "\n".join(
    f"svg .c{place} {{ fill: {colour}; }} .legend .c{place} {{ background: {colour}; }}"
    for place, colour in enumerate(_COLOURS)
)
