// The HTML report in a real browser: everything drawn, nothing asked for, nothing complained about, in light, dark and print. UPDATE=1 takes the README's picture.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { readRun, workloadOf } from '../../../cost/measurement.ts'
import { reportHtml } from '../../../cost/report/html.ts'
import { buildReport } from '../../../cost/report/report.ts'
import { openPage } from '../../helpers/chromium.ts'
import { runFile } from '../../helpers/cost-run.ts'
import { aDirectory, hasProgram } from '../../helpers/program.ts'

const missing = hasProgram('chromium') ? undefined : 'chromium is not installed'

/** What a chart shows: lines and bars with an extent on the page. */
const drawn = `[...document.querySelectorAll('svg')].map((svg) => {
  const shapes = [...svg.querySelectorAll('path, rect, polyline')].map((shape) => shape.getBoundingClientRect())
  const frame = svg.getBoundingClientRect()
  const inside = (box) => box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1
  return { width: frame.width, height: frame.height, shapes: shapes.filter(({ width, height }) => width + height > 0).length, outside: shapes.filter((box) => !inside(box)).length }
})`
const screenshotFile = new URL('../../../docs/cost.png', import.meta.url)

/** The bill of every path, and the first chart after it. */
const shown = `(([bill, interval]) => [bill.top + scrollY - 10, interval.bottom + scrollY])([...document.querySelectorAll('figure')].map((each) => each.getBoundingClientRect()))`
const colours = `(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))`

/** Of the texts in charts: those that leave their chart, and pairs that lie on each other. */
const texts = `[...document.querySelectorAll('svg')].flatMap((svg, chart) => {
  const frame = svg.getBoundingClientRect()
  const boxes = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }))
  const cut = boxes.filter(({ box }) => box.left < frame.left - 1 || box.right > frame.right + 1).map(({ text }) => chart + ' cut: ' + text)
  const pairs = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.box.left < b.box.right - 1 && b.box.left < a.box.right - 1 && a.box.top < b.box.bottom - 3 && b.box.top < a.box.bottom - 3).map((b) => chart + ' over: ' + a.text + ' / ' + b.text))
  return [...cut, ...pairs]
})`

test.skipIf(missing)(`the report in Chromium${missing ? ` (skipped: ${missing})` : ''}`, { timeout: 120_000 }, async () => {
  const run = await readRun(runFile)
  const file = join(aDirectory(), 'report.html')
  await writeFile(file, reportHtml(buildReport(workloadOf(run), { run })))
  const page = await openPage(pathToFileURL(file).href)

  const charts = await page.evaluate<{ width: number; height: number; shapes: number; outside: number }[]>(drawn)
  expect(charts).toHaveLength(7)
  for (const { width, height, shapes, outside } of charts) {
    expect(Math.min(width, height)).toBeGreaterThan(100)
    expect(shapes).toBeGreaterThanOrEqual(4)
    expect(outside).toBe(0)
  }
  expect(await page.evaluate(texts)).toEqual([])
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)

  await page.media({ scheme: 'light' })
  const light = await page.evaluate<string[]>(colours)
  await page.media({ scheme: 'dark' })
  const dark = await page.evaluate<string[]>(colours)
  expect(brightness(light[1]!)).toBeGreaterThan(brightness(light[0]!) + 0.5)
  expect(brightness(dark[0]!)).toBeGreaterThan(brightness(dark[1]!) + 0.5)
  await page.media({ media: 'print', scheme: 'dark' })
  const print = await page.evaluate<string[]>(colours)
  expect(brightness(print[1]!)).toBeGreaterThan(brightness(print[0]!) + 0.5)

  expect(page.requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([])
  expect(page.complaints).toEqual([])
  if (process.env.UPDATE) {
    await page.media({ scheme: 'light' })
    const [top, bottom] = await page.evaluate<[number, number]>(shown)
    await writeFile(screenshotFile, await page.screenshot({ x: 0, y: top, width: 1_120, height: bottom - top }))
  }
})

/** 0 black, 1 white; a page without a colour of its own is white. */
function brightness(colour: string): number {
  const [red = 255, green = 255, blue = 255, alpha = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number)
  return alpha === 0 ? 1 : (red + green + blue) / 765
}
