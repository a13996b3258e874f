"""The style sheet of the report."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fafaf8; --card: #ffffff; --ink: #1d1f24; --soft: #62666f; --line: #e3e3de;
  --track: #eeeeea; --accent: #2f5fd0; --rival: #8fa3c8; --trivial: #c3c2bb; --heat: #2f5fd0;
  --s0: #2f5fd0; --s1: #e07a1a; --s2: #0f9b83; --s3: #c23a82; --s4: #7d4bb0; --s5: #8a8d95;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --card: #1e2126; --ink: #e9e9e6; --soft: #a0a5ae; --line: #31353c;
    --track: #2a2e35; --accent: #7ba2ff; --rival: #6a7ba3; --trivial: #565a62; --heat: #6f98fa;
    --s0: #7ba2ff; --s1: #f7a04b; --s2: #3cc9ae; --s3: #f07ab5; --s4: #b48be6; --s5: #9a9ea8;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 6px; }
h2 { font-size: 20px; letter-spacing: -0.01em; margin: 48px 0 4px; }
h3 { font-size: 14px; font-weight: 600; margin: 0 0 6px; }
p { margin: 4px 0 14px; max-width: 72ch; }
.soft, .note { color: var(--soft); }
.note { font-size: 14px; }
.num { font-variant-numeric: tabular-nums; }
.facts { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 18px 0 0; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; font-weight: 500; overflow-wrap: anywhere; }
.cards { display: grid; gap: 14px; margin: 28px 0 12px;
  grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 16px 18px; }
.card .label { color: var(--soft); font-size: 14px; }
.card .value { font-size: 34px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.card .value small { font-size: 18px; font-weight: 500; color: var(--soft); }
.card.first .value { color: var(--accent); }
.card .range { font-size: 14px; color: var(--soft); font-variant-numeric: tabular-nums; }
.card .range span { white-space: nowrap; }
table { border-collapse: collapse; width: 100%; font-size: 15px; }
th, td { text-align: left; padding: 7px 10px 7px 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; }
thead th { font-size: 13px; font-weight: 500; color: var(--soft); }
tbody th { font-weight: 500; }
td.num, th.num { text-align: right; white-space: nowrap; }
td.bars { width: 46%; padding-left: 6px; }
tr.own th, tr.own td { font-weight: 650; }
tr.trivial th, tr.trivial td { color: var(--soft); font-weight: 400; }
tr.group th { padding-top: 18px; font-size: 13px; font-weight: 500; color: var(--soft); }
svg { display: block; max-width: 100%; }
svg text { fill: var(--ink); font-size: 13px; font-family: inherit; }
.bar { width: 100%; overflow: visible; }
.bar .track { fill: var(--track); }
.bar .fill { fill: var(--rival); }
.bar.own .fill { fill: var(--accent); }
.bar.trivial .fill { fill: var(--trivial); }
.whisker { stroke: var(--ink); stroke-width: 1.5; }
.scroll { overflow-x: auto; }
.heatmap { max-width: none; }
.heatmap .cell { fill: var(--track); }
.heatmap .heat { fill: var(--heat); }
.heatmap .on { fill: var(--card); font-weight: 600; }
.heatmap .off { fill: var(--ink); }
.charts { display: grid; gap: 14px; margin-top: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); }
.chart { width: 100%; height: auto; }
.chart text { fill: var(--soft); }
.grid { stroke: var(--line); fill: none; }
.mark { stroke: var(--line); stroke-dasharray: 3 3; fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.s0 { stroke: var(--s0); } .line.s1 { stroke: var(--s1); } .line.s2 { stroke: var(--s2); }
.line.s3 { stroke: var(--s3); } .line.s4 { stroke: var(--s4); } .line.s5 { stroke: var(--s5); }
.dot.s0 { fill: var(--s0); } .dot.s1 { fill: var(--s1); } .dot.s2 { fill: var(--s2); }
.dot.s3 { fill: var(--s3); } .dot.s4 { fill: var(--s4); } .dot.s5 { fill: var(--s5); }
.keys { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 8px; padding: 0;
  list-style: none; font-size: 14px; }
.keys li { display: flex; align-items: center; gap: 7px; }
.swatch { width: 13px; height: 13px; border-radius: 4px; flex: none; }
.keys .s0 { background: var(--s0); } .keys .s1 { background: var(--s1); }
.keys .s2 { background: var(--s2); } .keys .s3 { background: var(--s3); }
.keys .s4 { background: var(--s4); } .keys .s5 { background: var(--s5); }
.tiles { display: grid; gap: 18px; margin-top: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.tiles.three { grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr)); }
h3.kind { margin: 22px 0 0; }
.tiles.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  overflow: hidden; }
.panels { display: flex; gap: 2px; align-items: flex-start; }
.panels span { flex: 1 1 0; min-width: 0; }
.panels img { display: block; width: 100%; height: auto; }
figcaption { padding: 7px 12px 9px; font-size: 14px; overflow-wrap: anywhere; }
figcaption span { color: var(--soft); font-variant-numeric: tabular-nums; }
.values th { width: 34%; font-weight: 400; color: var(--soft); vertical-align: top;
  overflow-wrap: anywhere; }
.values td { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: 13.5px; overflow-wrap: anywhere; }
details { margin-top: 48px; }
details + details { margin-top: 12px; }
summary { cursor: pointer; font-size: 20px; font-weight: 650; letter-spacing: -0.01em; }
@media (max-width: 600px) {
  main { padding: 24px 16px 48px; }
  h1 { font-size: 25px; }
  .cards { grid-template-columns: 1fr 1fr; gap: 10px; }
  .card { padding: 12px 14px; }
  .card.first { grid-column: 1 / -1; }
  .card .value { font-size: 27px; }
  td.bars { width: 22%; }
  th, td { padding-right: 6px; }
  table { font-size: 14px; }
}
@media print {
  .scroll { overflow: visible; }
  figure, .card, tr { break-inside: avoid; }
}
"""
