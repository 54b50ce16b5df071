//! The style of the page: green for fibra, blue and violet for futures, ochre for Go, grey for the
//! rest.

/// Inlined into the page, which thus needs no other file.
pub(crate) const CSS: &str = r#"
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1d2326; --quiet: #667075; --rule: #e3e0d9; --panel: #f5f3ee;
  --fibra: #0a7d6c; --future: #3f72b8; --second: #9a5bb0; --third: #a77412; --other: #8d9391; --warn: #b25a1e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15191b; --ink: #e4e6e3; --quiet: #98a1a3; --rule: #2d3437; --panel: #1c2224;
    --fibra: #3fc2a8; --future: #7fa9ec; --second: #c990dd; --third: #dcb25a; --other: #868f8d; --warn: #e79a5e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 "Iowan Old Style", "Charter", "Source Serif 4", Georgia, serif;
}
main { max-width: 812px; margin: 0 auto; padding: 56px 26px 80px; }
h1 { font-size: 40px; line-height: 1.15; margin: 0 0 10px; letter-spacing: -0.01em; }
h2 { font-size: 24px; line-height: 1.3; margin: 56px 0 8px; }
p { margin: 0 0 14px; max-width: 44em; }
.lead { font-size: 20px; line-height: 1.5; color: var(--quiet); margin-bottom: 28px; }
code, .figures, svg, table, figcaption, .legend, footer {
  font-family: "Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
}
code { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: 0.86em; }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 0 0 20px; padding: 0; }
.figures li { list-style: none; background: var(--panel); border-top: 3px solid var(--other); padding: 12px 14px 14px; }
.figures li.fibra { border-color: var(--fibra); }
.figures li.future { border-color: var(--future); }
.warning { border-left: 3px solid var(--warn); background: var(--panel); padding: 10px 14px; font-size: 15px; line-height: 1.5; max-width: none; margin-bottom: 20px; }
.figures b { display: block; font-size: 28px; line-height: 1.25; font-weight: 600; letter-spacing: -0.01em; }
.figures span { display: block; font-size: 13px; line-height: 1.4; color: var(--quiet); }
.legend { font-size: 13.5px; color: var(--quiet); padding: 0; margin: 0 0 8px; }
.legend li { display: inline-block; list-style: none; margin-right: 22px; }
.legend li::before { content: ""; display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 7px; background: var(--other); }
.legend li.fibra::before { background: var(--fibra); }
.legend li.future::before { background: var(--future); }
.legend li.second::before { background: var(--second); }
.legend li.third::before { background: var(--third); }
figure { margin: 18px 0 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg.narrow { display: none; }
figcaption { font-size: 13.5px; color: var(--quiet); margin-top: 8px; line-height: 1.5; }
text { font-size: 13.5px; fill: var(--ink); }
text.value, text.number { font-weight: 600; font-variant-numeric: tabular-nums; }
text.number { font-size: 13px; paint-order: stroke; stroke: var(--paper); stroke-width: 3.5px; stroke-linejoin: round; }
.aside, text.tick { fill: var(--quiet); font-weight: 400; }
text.tick, text.aside { font-size: 12.5px; }
text.end { text-anchor: end; }
text.middle { text-anchor: middle; }
.fibra { fill: var(--fibra); }
.future { fill: var(--future); }
.second { fill: var(--second); }
.third { fill: var(--third); }
.other { fill: var(--other); }
text.other { fill: var(--quiet); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.fibra { stroke: var(--fibra); stroke-width: 2.75; }
.line.future { stroke: var(--future); }
.line.second { stroke: var(--second); }
.line.third { stroke: var(--third); }
.line.spread { stroke-width: 1.5; opacity: 0.75; }
.line.other { stroke: var(--other); }
.grid { stroke: var(--rule); stroke-width: 1; }
.halo { stroke: var(--paper); stroke-width: 4.5; fill: none; opacity: 0.8; }
.whisker { stroke: var(--ink); stroke-width: 1.75; fill: none; }
.cut { stroke: var(--paper); stroke-width: 4; fill: none; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 34px; margin-top: 20px; }
.sides h3 { font-size: 18px; margin: 0 0 8px; padding-top: 10px; border-top: 3px solid var(--fibra); }
.sides .future h3 { border-color: var(--future); }
.sides p { font-size: 16px; line-height: 1.55; }
table { table-layout: fixed; border-collapse: collapse; width: 100%; font-size: 13.5px; line-height: 1.45; font-variant-numeric: tabular-nums; margin-top: 14px; }
caption { text-align: left; color: var(--quiet); padding-bottom: 6px; }
th, td { text-align: right; padding: 4px 0 4px 14px; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { font-weight: 400; }
th:first-child { text-align: left; padding-left: 0; width: 38%; }
th:nth-child(2), th:nth-child(3) { width: 15%; }
thead th { color: var(--quiet); }
tbody th[colspan] { font-weight: 600; padding-top: 16px; }
td.spread, td.reason { color: var(--quiet); }
footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--rule); font-size: 13.5px; line-height: 1.6; color: var(--quiet); }
@media (max-width: 640px) {
  .figures { grid-template-columns: 1fr 1fr; }
  .sides { grid-template-columns: 1fr; }
  svg.wide { display: none; }
  svg.narrow { display: block; }
  main { padding: 36px 24px 60px; }
  h1 { font-size: 34px; }
  th:nth-child(4), td.spread { display: none; }
  th:first-child { width: 48%; }
  th:nth-child(2), th:nth-child(3) { width: 26%; }
}
"#;
