// The report as Markdown: for a pull request, a wiki, docs.
import { formatPoint, formatRanges } from '../format.ts'
import type { Run } from '../measurement.ts'
import { markdownTable } from '../table.ts'
import { describeRun, measuredTables } from './measured.ts'
import type { AnsweredQuestion, Report } from './report.ts'
import { comparisonRow, describe, usedCategories } from './terminal.ts'

export function reportMarkdown(report: Report): string {
  const { comparison, crossovers, wire } = report
  const parts = usedCategories(comparison)
  const header = ['path', 'USD a month', 'a device', ...parts, 'bytes a message', 'prices']
  const rows = comparison.estimates.map((estimate) => comparisonRow(estimate, comparison, parts))
  return `${[
    '# What the fleet costs a month',
    `${describe(comparison)}.`,
    '## Paths',
    markdownTable(header, rows, [0, header.length - 1]),
    ...comparison.unpriced.map(({ title, reason }) => `- Not priced: ${title}: ${reason}`),
    '## Which is cheaper',
    markdownTable(
      ['over', 'pair', 'cheaper', 'solved between'],
      crossovers.map((found) => [
        found.axis,
        found.paths.join(' / '),
        formatRanges(found),
        `${formatPoint(found.axis, found.ranges[0]!.from)} and ${formatPoint(found.axis, found.ranges.at(-1)!.to)}`,
      ]),
      [0, 1, 2, 3],
    ),
    '## Bytes on the wire, of one message, both ways',
    markdownTable(
      ['connection', ...wire[0]!.parts.map(([part]) => part), 'sum', 'basis'],
      wire.map(({ title, parts, basis }) => [
        title,
        ...parts.map(([, bytes]) => String(Math.round(bytes))),
        String(Math.round(parts.reduce((sum, [, bytes]) => sum + bytes, 0))),
        basis,
      ]),
    ),
    ...measuredMarkdown(report.run),
    '## Questions',
    ...report.questions.map(questionMarkdown),
    '## Assumptions',
    list(report.assumptions),
    '## Not verified',
    list(report.unverified),
    '## Sources of the prices',
    list(Object.entries(comparison.book.sources).map(([id, { title, date }]) => `${id}: ${title}${date ? ` (${date})` : ''}`)),
  ].join('\n\n')}\n`
}

function measuredMarkdown(run: Run | undefined): readonly string[] {
  if (!run) return []
  const tables = measuredTables(run).flatMap(({ title, header, rows, left }) => [`### ${title}`, markdownTable(header, rows, left)])
  return ['## The measured run', `${describeRun(run)}.`, ...tables]
}

export function questionMarkdown({ number, title, unanswered, ...answer }: AnsweredQuestion): string {
  const head = `### ${number}. ${title}`
  if (unanswered !== undefined || !answer.header) return `${head}\n\nNot answered: ${unanswered}.`
  const { result, header, rows, labels, formula, inputs, confidence, caveat } = answer
  const left = header.map((_, i) => i).filter((i) => i < labels! || rows!.some((row) => row[i]!.length > 24))
  const foot = [`Formula: ${formula}.`, `Inputs: ${inputs}.`, `Confidence: ${confidence}.${caveat ? ` ${caveat}` : ''}`]
  return [head, result, markdownTable(header, rows!, left), ...foot].join('\n\n')
}

const list = (items: readonly string[]) => items.map((item) => `- ${item}`).join('\n')
