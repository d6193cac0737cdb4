// Charts as inline SVG text: lines over an axis and stacked bars, coloured by the page's style so that dark and print work.

export interface Scale {
  readonly kind: 'log' | 'linear'
  readonly from: number
  readonly to: number
  readonly ticks: readonly (readonly [value: number, label: string])[]
  readonly title: string
}

export interface Series {
  readonly label: string
  /** Picks colour and dash; stays the same for one path through all charts. */
  readonly style: number
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Bar {
  readonly label: string
  readonly parts: readonly (readonly [style: number, value: number])[]
  readonly total: string
}

const width = 860
const plot = { left: 74, right: 640, top: 14, bottom: 372 }
const labelGap = 17

/** Lines with their names at the right end, pushed apart where they would overlap. */
export function lineChart(title: string, x: Scale, y: Scale, series: readonly Series[]): string {
  const toX = place(x, plot.left, plot.right)
  const toY = place(y, plot.bottom, plot.top)
  const lines = series.map(({ style, points }) => {
    const path = points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${round(toX(px))} ${round(toY(py))}`).join('')
    return `<path class="line s${style}" d="${path}"/>`
  })
  const ends = spreadLabels(series.map(({ points }) => toY(points.at(-1)![1])))
  const names = series.map(({ label, style, points }, i) => {
    const [endX, endY] = [toX(points.at(-1)![0]), toY(points.at(-1)![1])]
    const leader = `<path class="leader" d="M${round(endX + 3)} ${round(endY)}L${plot.right + 16} ${round(ends[i]!)}"/>`
    return `${leader}<text class="name t${style}" x="${plot.right + 20}" y="${round(ends[i]! + 4)}">${escapeXml(label)}</text>`
  })
  return svg(title, 420, [...axes(x, y, toX, toY), ...lines, ...names])
}

/** Horizontal bars of parts, the longest filling the width. */
export function barChart(title: string, bars: readonly Bar[], legend: readonly (readonly [style: number, label: string])[]): string {
  const left = 262
  const rowHeight = 27
  const longest = Math.max(...bars.map(({ parts }) => sum(parts)))
  const scale = (plot.right + 110 - left) / longest
  const rows = bars.map(({ label, parts, total }, i) => {
    const y = 40 + i * rowHeight
    let x = left
    const rects = parts
      .filter(([, value]) => value > 0)
      .map(([style, value]) => {
        const rect = `<rect class="f${style}" x="${round(x)}" y="${y}" width="${round(Math.max(value * scale, 0.5))}" height="18"/>`
        x += value * scale
        return rect
      })
    const name = `<text class="row" x="${left - 8}" y="${y + 13}">${escapeXml(label)}</text>`
    return `${name}${rects.join('')}<text class="total" x="${round(x + 6)}" y="${y + 13}">${escapeXml(total)}</text>`
  })
  let legendX = legend.length > 6 ? 20 : left
  const keys = legend.map(([style, label]) => {
    const key = `<rect class="f${style}" x="${legendX}" y="10" width="12" height="12"/><text class="key" x="${legendX + 17}" y="20">${escapeXml(label)}</text>`
    legendX += 34 + label.length * 7
    return key
  })
  return svg(title, 50 + bars.length * rowHeight, [...keys, ...rows])
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** 1, 10, 100 … from the power below `from` to the one above `to`. */
export function powersOfTen(from: number, to: number, label: (n: number) => string): Omit<Scale, 'title'> {
  const [first, last] = [Math.floor(Math.log10(from)), Math.ceil(Math.log10(to))]
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i))
  return { kind: 'log', from: 10 ** first, to: 10 ** last, ticks: ticks.map((n) => [n, label(n)] as const) }
}

function axes(x: Scale, y: Scale, toX: (n: number) => number, toY: (n: number) => number): readonly string[] {
  const vertical = x.ticks.map(
    ([value, label]) =>
      `<path class="grid" d="M${round(toX(value))} ${plot.top}V${plot.bottom}"/><text class="tick" x="${round(toX(value))}" y="${plot.bottom + 17}">${label}</text>`,
  )
  const horizontal = y.ticks.map(
    ([value, label]) =>
      `<path class="grid" d="M${plot.left} ${round(toY(value))}H${plot.right}"/><text class="tick side" x="${plot.left - 8}" y="${round(toY(value) + 4)}">${label}</text>`,
  )
  const middle = (plot.top + plot.bottom) / 2
  return [
    ...vertical,
    ...horizontal,
    `<text class="axis" x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 38}">${escapeXml(x.title)}</text>`,
    `<text class="axis" transform="translate(16 ${middle}) rotate(-90)">${escapeXml(y.title)}</text>`,
  ]
}

function place({ kind, from, to }: Scale, start: number, end: number): (n: number) => number {
  const position = kind === 'log' ? Math.log : (n: number) => n
  const clamp = (n: number) => Math.min(to, Math.max(from, n))
  return (n) => start + ((position(clamp(n)) - position(from)) / (position(to) - position(from))) * (end - start)
}

/** Moves labels down until none overlaps the one above, then up again from the bottom. */
function spreadLabels(wanted: readonly number[]): readonly number[] {
  const order = wanted.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y)
  const placed = order.map(({ y }) => y)
  for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i]!, placed[i - 1]! + labelGap)
  for (let i = placed.length - 1, lowest = plot.bottom; i >= 0; i--, lowest -= labelGap) placed[i] = Math.min(placed[i]!, lowest)
  const result: number[] = []
  for (const [rank, { i }] of order.entries()) result[i] = placed[rank]!
  return result
}

function svg(title: string, height: number, content: readonly string[]): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">\n${content.join('\n')}\n</svg>`
}

const sum = (parts: Bar['parts']) => parts.reduce((total, [, value]) => total + value, 0)
const round = (n: number) => Number(n.toFixed(1))
