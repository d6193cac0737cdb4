// The report as one HTML page that needs nothing else: no network, no script, its charts in it as SVG.
import { formatCount, formatInterval, formatPoint, formatRanges } from '../format.ts'
import { formatUsd } from '../money.ts'
import { paths } from '../paths.ts'
import { byCategory, type Category, categories } from './categories.ts'
import { barChart, escapeXml, lineChart, powersOfTen, type Scale, type Series } from './chart.ts'
import { describeRun, measuredTables } from './measured.ts'
import { type AnsweredQuestion, type Curve, charted, type Report } from './report.ts'
import { style } from './style.ts'
import { comparisonRow, describe, usedCategories } from './terminal.ts'

export function reportHtml(report: Report): string {
  const { comparison } = report
  const { title: cheapest, totalNanoDollars } = comparison.estimates[0] ?? { title: 'none', totalNanoDollars: 0n }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What the fleet costs a month</title>
<style>
${style}
</style>
</head>
<body>
<h1>What the fleet costs a month</h1>
<p class="soft">${escapeXml(describe(comparison))}.</p>
<p>The cheapest path that has a price is <b>${escapeXml(cheapest)}</b> at ${formatUsd(totalNanoDollars)}${report.workload.labourUsd === 0 ? ', without anybody’s work on servers of our own' : ''}.</p>
${list([1, 2, 5, 6].flatMap((n) => report.questions[n - 1]?.result ?? []))}
${section('Every path', pathTable(report), bill(report))}
${section('Against message interval', curveChart('Monthly cost against message interval', intervalScale, report.curves.interval))}
${section('Against fleet size', curveChart('Monthly cost against fleet size', fleetScale, report.curves.devices))}
${section('Against payload', curveChart('Monthly cost against payload', payloadScale, report.curves.payload), note('MQTT and HTTPS on IoT Core step every 5 KB, a WebSocket API at 32 KB, an HTTP API at 512 KB.'))}
${section('Which is cheaper', crossoverTable(report), note('Solved on every straight piece of both bills, in the range of the last column.'))}
${section('Bytes on the wire', wireChart(report))}
${measured(report)}
${section('Airtime of one device', ...report.airtime.map(({ title, curves }) => `<h3>${escapeXml(title)}</h3>${curveChart(`Airtime: ${title}`, airtimeScale, curves, 'USD a device and month')}`))}
${section('Ten questions', ...report.questions.map(question))}
${section('Assumptions', list(report.assumptions))}
${section('Not verified', list(report.unverified))}
${section('Sources of the prices', list(Object.entries(comparison.book.sources).map(([id, { title, date }]) => `${id}: ${title}${date ? ` (${date})` : ''}`)))}
<footer><p>Prices of ${comparison.book.region} as of ${comparison.book.asOf}. Bytes are ${report.wire.every(({ basis }) => basis === 'measured') ? 'measured' : 'modelled where not said to be measured'}.</p></footer>
</body>
</html>
`
}

function pathTable(report: Report): string {
  const { comparison } = report
  const parts = usedCategories(comparison)
  const header = ['path', 'USD a month', 'a device', ...parts, 'bytes a message', 'prices']
  const rows = comparison.estimates.map((estimate) => comparisonRow(estimate, comparison, parts))
  return (
    table(header, rows, [0, header.length - 1]) + list(comparison.unpriced.map(({ title, reason }) => `Not priced: ${title}: ${reason}`))
  )
}

function bill({ comparison }: Report): string {
  const styleOf = (category: Category) => categories.indexOf(category)
  const bars = comparison.estimates.map(({ title, lineItems, totalNanoDollars }) => {
    const sums = byCategory(lineItems)
    const parts = categories.map((category) => [styleOf(category), Number(sums[category]) / 1e9] as const)
    return { label: short(title), parts, total: formatUsd(totalNanoDollars) }
  })
  const legend = usedCategories(comparison).map((category) => [styleOf(category), category] as const)
  return bars.length === 0 ? '' : figure(barChart('The bill of each path by part', bars, legend), 'The bill of each path by part.')
}

function wireChart({ wire }: Report): string {
  const bars = wire.map(({ title, basis, parts }) => {
    const total = Math.round(parts.reduce((sum, [, bytes]) => sum + bytes, 0))
    return { label: title, parts: parts.map(([, bytes], i) => [i, bytes] as const), total: `${formatCount(total)} ${basis}` }
  })
  const legend = (wire[0]?.parts ?? []).map(([part], i) => [i, part] as const)
  return figure(
    barChart('Bytes of one message on the wire', bars, legend),
    'Bytes of one message, both ways; handshakes and keep-alives shared out over the messages.',
  )
}

function measured({ run }: Report): string {
  if (!run) return ''
  const tables = measuredTables(run).map(
    ({ title, header, rows, left }, i) =>
      `<details${i === 0 ? ' open' : ''}><summary>${escapeXml(title)}</summary>${table(header, rows, left)}</details>`,
  )
  return section('The measured run', note(`${describeRun(run)}.`), ...tables)
}

function curveChart(title: string, x: Scale, curves: readonly Curve[], unit = 'USD a month'): string {
  if (curves.length === 0) return note('No path here has all its prices.')
  const all = curves.flatMap(({ points }) => points.map(([, usd]) => usd)).filter((usd) => usd > 0)
  const y: Scale = { ...powersOfTen(Math.min(...all), Math.max(...all), formatDollars), title: unit }
  const series: readonly Series[] = curves.map(({ path, points }) => ({
    label: short(paths[path].title),
    style: charted.indexOf(path as never),
    points,
  }))
  return figure(lineChart(title, x, y, series), `${title}; ${x.kind === 'log' ? 'both axes are' : 'the left axis is'} logarithmic.`)
}

const intervalTicks = [1_000, 10_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000]
const intervalScale: Scale = {
  kind: 'log',
  from: 1_000,
  to: 86_400_000,
  ticks: intervalTicks.map((ms) => [ms, formatInterval(ms)] as const),
  title: 'one message every',
}
const airtimeScale: Scale = { ...intervalScale, from: 10_000, ticks: intervalScale.ticks.slice(1) }
const fleetScale: Scale = { ...powersOfTen(10, 1_000_000, formatCount), title: 'devices' }
const payloadScale: Scale = {
  kind: 'linear',
  from: 0,
  to: 65_536,
  ticks: Array.from({ length: 9 }, (_, i) => [i * 8_192, `${i * 8} KB`] as const),
  title: 'payload of a message',
}

function crossoverTable({ crossovers }: Report): string {
  const rows = crossovers.map((found) => [
    found.axis,
    found.paths.join(' / '),
    formatRanges(found),
    `${formatPoint(found.axis, found.ranges[0]!.from)} and ${formatPoint(found.axis, found.ranges.at(-1)!.to)}`,
  ])
  return table(['over', 'pair', 'cheaper', 'solved between'], rows, [0, 1, 2, 3])
}

function question({ number, title, unanswered, ...answer }: AnsweredQuestion): string {
  const head = `<h3>${number}. ${escapeXml(title)}</h3>`
  if (unanswered !== undefined || !answer.header) return `${head}<p>Not answered: ${escapeXml(unanswered ?? '')}.</p>`
  const { result, header, rows, labels, formula, inputs, confidence, caveat } = answer
  const left = header.map((_, i) => i).filter((i) => i < labels! || rows!.some((row) => row[i]!.length > 24))
  const basis = `<p class="soft">Formula: ${escapeXml(formula!)}.<br>Inputs: ${escapeXml(inputs!)}.<br>Confidence: ${confidence}. ${escapeXml(caveat ?? '')}</p>`
  return `${head}<p>${escapeXml(result!)}</p><details><summary>Figures</summary>${table(header, rows!, left)}${basis}</details>`
}

function table(header: readonly string[], rows: readonly (readonly string[])[], left: readonly number[]): string {
  const cells = (tag: 'th' | 'td', texts: readonly string[]) =>
    `<tr>${texts.map((text, i) => `<${tag}${left.includes(i) ? ' class="l"' : ''}>${escapeXml(text)}</${tag}>`).join('')}</tr>`
  return `<div class="scroll"><table><thead>${cells('th', header)}</thead><tbody>\n${rows.map((row) => cells('td', row)).join('\n')}\n</tbody></table></div>`
}

/** `IoT Core MQTT, topic + rule` needs no more room than its first words at the end of a line. */
const short = (title: string) =>
  title.replace('API Gateway ', '').replace('connecting for each message', 'reconnecting').replace(' behind an NLB', '')
const formatDollars = (usd: number) => (usd < 1 ? `$${usd}` : usd >= 1e6 ? `$${formatCount(usd / 1e6)}M` : `$${formatCount(usd)}`)
const section = (title: string, ...content: readonly string[]) =>
  `<section>\n<h2>${escapeXml(title)}</h2>\n${content.join('\n')}\n</section>`
const figure = (chart: string, caption: string) => `<figure>${chart}<figcaption>${escapeXml(caption)}</figcaption></figure>`
const list = (items: readonly string[]) =>
  items.length === 0 ? '' : `<ul>\n${items.map((item) => `<li>${escapeXml(item)}</li>`).join('\n')}\n</ul>`
const note = (text: string) => `<p class="soft">${escapeXml(text)}</p>`
