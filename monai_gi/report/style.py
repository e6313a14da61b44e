"""The look of the page: black on white, no meaning by colour alone, for screens from 390 px on and for paper."""

STYLE = """
:root { color-scheme: light; --ink: #282828; --soft: #595959; --line: #d9d9d9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans",
  sans-serif; overflow-wrap: break-word; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
.use { max-width: none; margin: 0; padding: 8px max(20px, calc(50% - 540px)); background: #fff4d6;
  border-bottom: 1px solid #e6c66b; font-size: 14px; }
h1 { font-size: 28px; line-height: 1.25; margin: 24px 0 0; }
h2 { font-size: 21px; margin: 0 0 8px; padding-top: 22px; border-top: 1px solid var(--line); }
h3 { font-size: 17px; margin: 24px 0 4px; }
section { margin-top: 26px; }
p { margin: 6px 0 10px; max-width: 78ch; }
ul { margin: 6px 0 10px; padding-left: 22px; max-width: 80ch; }
.subtitle { color: var(--soft); margin-top: 2px; }
.caption, .note { color: var(--soft); font-size: 14px; }
.warnings { list-style: none; padding: 10px 14px; border-left: 4px solid #d55e00; background: #fdf3ec; }
.warnings li::before { content: "! "; font-weight: 700; color: #a84700; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 10px; font-size: 15px; }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--accent);
  outline-offset: 2px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 12px 0; }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: 10px 14px; }
.tile span, .tile em { display: block; font-style: normal; font-size: 14px; color: var(--soft); }
.tile strong { display: block; font-size: 27px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.scroll, .sheet { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 14.5px; margin: 8px 0 12px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: 14px; padding-bottom: 4px; }
th, td { text-align: left; padding: 5px 16px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; border-bottom: 2px solid var(--ink); }
td:not(.number) { min-width: 72px; }
.number { text-align: right; }
.good, .bad, .strong { font-weight: 700; }
td.bad { min-width: 130px; }
.good { color: #00614a; }
.bad { color: #a84700; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 14px 24px;
  align-items: start; }
figure { margin: 0; min-width: 0; }
.charts img { display: block; width: 100%; max-width: 540px; height: auto; }
.charts > div { align-self: center; min-width: 0; }
.picture { margin: 10px 0 18px; }
.picture img { display: block; max-width: 100%; height: auto; }
figcaption { font-weight: 600; margin-bottom: 4px; }
.facts { display: grid; grid-template-columns: minmax(130px, max-content) 1fr; gap: 3px 20px; margin: 8px 0 12px; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--accent); }
footer { margin-top: 36px; padding-top: 12px; padding-bottom: 28px; font-size: 14px; color: var(--soft); }
@media (max-width: 640px) {
  h1 { font-size: 23px; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tile strong { font-size: 22px; }
  .wide img { max-width: none; width: 640px; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 8px; }
}
@page { size: A4; margin: 14mm 13mm; }
@media print {
  body { font-size: 10pt; line-height: 1.4; }
  h1 { font-size: 18pt; margin-top: 10px; }
  h2 { font-size: 13.5pt; padding-top: 10px; }
  section { margin-top: 14px; }
  h3, figcaption { font-size: 11pt; }
  .caption, .note, .tile span, .tile em { font-size: 8.5pt; }
  .tile strong { font-size: 16pt; }
  .run { break-before: page; }
  header, main, footer { max-width: none; padding: 0; }
  .use { padding: 6px 10px; border: 1px solid #e6c66b; }
  nav { display: none; }
  figure, .tile, tr, .warnings { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
  .scroll, .sheet { overflow: visible; }
  .picture img { max-height: 110mm; width: auto; }
  table { font-size: 8.5pt; }
  th, td { padding: 3px 9px 3px 0; }
}
"""
