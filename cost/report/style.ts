// The look of the HTML report: light, dark and print, system fonts, colours that colour-blind readers can tell apart.

/** After Okabe and Ito; the second of each pair is for dark paper. */
const colours: readonly (readonly [light: string, dark: string])[] = [
  ['#0072b2', '#56b4e9'],
  ['#009e73', '#2fd3a0'],
  ['#b3861a', '#e6c04a'],
  ['#d55e00', '#ff8f45'],
  ['#a0457f', '#e08dc0'],
  ['#555555', '#bbbbbb'],
  ['#1b9cc9', '#9adcf7'],
  ['#7a3b00', '#c99361'],
]
const dashes = ['', '7 3', '2 3', '9 3 2 3', '', '7 3', '2 3', '9 3 2 3']

const variables = (index: 0 | 1) => colours.map((pair, i) => `--c${i}:${pair[index]}`).join(';')
const rules = colours
  .map((_, i) => `.s${i}{stroke:var(--c${i});stroke-dasharray:${dashes[i] || 'none'}}.f${i},.t${i}{fill:var(--c${i})}`)
  .join('\n')

export const style = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2024;--soft:#5f6770;--grid:#e3e6e9;--band:#f5f7f8;${variables(0)}}
@media (prefers-color-scheme:dark){:root{--paper:#14181c;--ink:#e6e9ec;--soft:#9aa4ae;--grid:#2b3238;--band:#1b2026;${variables(1)}}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--grid:#ccc;--band:#fff;${variables(0)}}
section,figure,tr{break-inside:avoid}details::details-content{content-visibility:visible;block-size:auto}body{max-width:none;font-size:10pt}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1220px;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .25rem}h2{margin:2.75rem 0 .5rem;font-size:1.3rem}h3{margin:1.75rem 0 .25rem;font-size:1.05rem}
p{margin:.4rem 0}.soft,figcaption,footer{color:var(--soft)}figure{margin:1rem 0 0;max-width:1080px}figcaption{font-size:.9rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.32rem .6rem;text-align:right;border-bottom:1px solid var(--grid);vertical-align:top}
th{color:var(--soft);font-weight:600;vertical-align:bottom}th.l,td.l{text-align:left}td.l:first-child{min-width:14rem}td:not(.l){white-space:nowrap}tbody tr:nth-child(even){background:var(--band)}
ul{padding-left:1.2rem}li{margin:.15rem 0}summary{cursor:pointer;font-weight:600;margin-top:.9rem}
svg{width:100%;height:auto;display:block;font:12px system-ui,sans-serif}
svg text{fill:var(--ink)}.grid{stroke:var(--grid);stroke-width:1;fill:none}.leader{stroke:var(--grid);fill:none}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round}svg .tick,svg .axis,svg .key{fill:var(--soft)}.tick,.axis{text-anchor:middle}.side,.row{text-anchor:end}
svg .name{font-weight:600}
${rules}
${colours.map((_, i) => `svg .t${i}{fill:var(--c${i})}`).join('')}
`.trim()
