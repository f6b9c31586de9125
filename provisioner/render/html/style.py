"""How a page looks: one sheet, light and dark, wide and narrow, screen and paper."""

STYLE = """
:root { --back: #fff; --text: #1b1f24; --quiet: #636c76; --line: #d8dee4; --good: #1a7f37;
  --change: #9a6700; --bad: #cf222e; --lived: #c9d1d9; --lives: #2da44e; --window: #d4a72c;
  --fades: #e5534b; --before: #afb8c1; --after: #218bff; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --quiet: #8d96a0;
  --line: #30363d; --good: #3fb950; --change: #d29922; --bad: #f85149; --lived: #484f58;
  --lives: #2ea043; --window: #bb8009; --fades: #da3633; --before: #6e7681; --after: #388bfd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
article + article { border-top: 2px solid var(--line); margin-top: 2rem; }
h1 { font-size: 1.5rem; margin: .5rem 0 0; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; }
.headline { font-size: 1.15rem; }
.quiet, .amount, text.tick { color: var(--quiet); fill: var(--quiet); }
.good { color: var(--good); fill: var(--good); }
.change { color: var(--change); fill: var(--change); }
.bad { color: var(--bad); fill: var(--bad); }
.verb { white-space: nowrap; font-weight: 600; }
.sum { white-space: nowrap; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th:nth-child(1) { width: 7rem; }
th:nth-child(2), th:nth-child(3) { width: 17%; }
.outcome th:nth-child(3) { width: auto; }
th:nth-child(5), th:nth-child(6) { width: 7.5rem; }
th:nth-child(7) { width: 11rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; font-size: .85rem; }
td:nth-child(5), td:nth-child(6), td:nth-child(7) { font-variant-numeric: tabular-nums; }
details { color: var(--quiet); font-size: .85rem; }
summary { cursor: pointer; }
ul { margin: .2rem 0; padding-left: 1.1rem; }
code { font-size: .85rem; }
svg { display: block; overflow: hidden; }
svg text { font: 13px system-ui, sans-serif; fill: var(--text); }
svg text.name { font-weight: 600; }
svg text.quiet { fill: var(--quiet); }
svg text.good { fill: var(--good); }
svg text.change { fill: var(--change); }
svg text.bad { fill: var(--bad); }
svg text.tick, svg text.amount { font-size: 11px; fill: var(--quiet); }
svg text.now { font-size: 11px; font-weight: 600; }
line.tick { stroke: var(--line); }
line.now { stroke: var(--text); stroke-dasharray: 3 3; }
.lived { fill: var(--lived); background: var(--lived); }
.lives { fill: var(--lives); background: var(--lives); }
.window { fill: var(--window); background: var(--window); }
.fades { fill: var(--fades); background: var(--fades); }
.before { fill: var(--before); background: var(--before); }
.after { fill: var(--after); background: var(--after); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .85rem;
  color: var(--quiet); }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
  vertical-align: -1px; }
footer { margin-top: 1.4rem; font-size: .9rem; }
@media (max-width: 46rem) {
  thead { position: absolute; left: -9999px; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { display: flex; gap: .6rem; border: 0; padding: .1rem 0; }
  td::before { content: attr(data-is); flex: 0 0 6.5rem; color: var(--quiet); font-size: .85rem; }
  td:empty { display: none; }
  td > details { flex: 1; }
}
@media print { :root { --back: #fff; --text: #000; --quiet: #444; --line: #999; }
  tr, svg g { break-inside: avoid; } * { print-color-adjust: exact; }
  main { max-width: none; padding: 0; } }
"""
