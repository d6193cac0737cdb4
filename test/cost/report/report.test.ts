// The reports as they were last read by a person, and what must hold in any of them.
import { describe, expect, test, vi } from 'vitest'
import { byCategory, categories, categoryOf } from '../../../cost/report/categories.ts'
import { reportHtml } from '../../../cost/report/html.ts'
import { reportJson } from '../../../cost/report/json.ts'
import { reportMarkdown } from '../../../cost/report/markdown.ts'
import { buildReport, charted, defaultWorkload } from '../../../cost/report/report.ts'
import { formatComparison, formatCrossovers } from '../../../cost/report/terminal.ts'
import { parseWorkload } from '../../../cost/workload.ts'
import { expectGolden } from '../../helpers/golden.ts'

vi.setConfig({ testTimeout: 90_000 })
const report = buildReport(defaultWorkload)

describe('goldens of the default workload', () => {
  test('terminal', () =>
    expectGolden('cost/report.txt', `${formatComparison(report.comparison)}\n\n${formatCrossovers(report.crossovers)}\n`))
  test('Markdown', () => expectGolden('cost/report.md', reportMarkdown(report)))
  test('HTML', () => expectGolden('cost/report.html', reportHtml(report)))
  test('JSON', () => {
    const { curves: _, airtime: __, questions: ___, ...rest } = reportJson(report)
    return expectGolden('cost/report.json', `${JSON.stringify(rest, undefined, 1)}\n`)
  })
})

describe('the page', () => {
  const html = reportHtml(report)

  test('needs nothing from anywhere', () => {
    expect(html).not.toMatch(/<(script|link|img|iframe)|url\(|@import|https?:\/\//)
  })

  test('has every chart, each with a line or a bar, and no hole in its numbers', () => {
    const charts = html.match(/<svg[\s\S]*?<\/svg>/g)!
    expect(charts).toHaveLength(7)
    for (const chart of charts) expect(chart).toMatch(/class="(line s|f)\d"/)
    expect(html).not.toMatch(/NaN|undefined|Infinity/)
  })

  test('draws the 5 KB step on its byte', () => {
    const [mqtt] = report.curves.payload.filter(({ path }) => path === 'iot-mqtt')
    const at = (bytes: number) => mqtt!.points.find(([x]) => x === bytes)![1]
    expect(at(5_078) - at(5_077)).toBeGreaterThan(400)
    expect(at(10_198) - at(10_197)).toBeGreaterThan(350) // partly in the second message tier
  })

  test('closes what it opens', () => {
    for (const tag of ['section', 'table', 'tr', 'td', 'svg', 'text', 'figure', 'details', 'ul', 'li', 'p', 'h3'])
      expect(html.split(`<${tag}`).filter((rest, i) => i > 0 && /^[\s>]/.test(rest)).length, tag).toBe(html.split(`</${tag}>`).length - 1)
  })
})

test('a workload with hostile text cannot break the page', () => {
  const { comparison } = report
  const html = reportHtml({ ...report, comparison: { ...comparison, unpriced: [{ path: 'hivemq-cloud', title: '<b>', reason: '"&' }] } })
  expect(html).toContain('&#60;b&#62;: &#34;&#38;')
})

test('a region with holes still has a report that says so', () => {
  const holes = buildReport(parseWorkload({ region: 'eu-central-1' }))
  expect(holes.comparison.unpriced.length).toBeGreaterThan(10)
  const html = reportHtml(holes)
  expect(html).toContain('eu-central-1 has no price for sqs.standardRequests')
  expect(html).not.toMatch(/NaN|undefined|Infinity/)
  expect(reportMarkdown(holes)).toContain('Not answered: eu-central-1 has no price')
})

test('every line of every bill belongs to a part, and the parts are the bill', () => {
  for (const { lineItems, totalNanoDollars } of report.comparison.estimates) {
    for (const { item } of lineItems) expect(categories).toContain(categoryOf(item))
    expect(Object.values(byCategory(lineItems)).reduce((sum, part) => sum + part, 0n)).toBe(totalNanoDollars)
  }
})

test('a chart has no more paths than there are styles', () => expect(charted.length).toBeLessThanOrEqual(8))
