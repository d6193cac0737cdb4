// The findings for a person: file by file, worst first, what is wrong and what to do, and one line that sums up.

import { printable } from '../../lib/printable.ts'
import type { Finding, Severity } from './check.ts'
import { countsOf } from './index.ts'

const marks = { error: '✗', warning: '!', note: '·' } as const satisfies Record<Severity, string>
const colours = { error: 31, warning: 33, note: 36 } as const satisfies Record<Severity, number>

export interface Examined {
  readonly findings: readonly Finding[]
  /** `4 rules, 6 queues, …`. */
  readonly looked: string
}

export function findingsText({ findings, looked }: Examined, colour: boolean): string {
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const byFile = Map.groupBy(findings, ({ file }) => file)
  const sections = [...byFile].map(([file, own]) =>
    [paint(1, printable(file)), ...own.flatMap((finding) => lines(finding, paint))].join('\n'),
  )
  return [...sections, summary(findings, looked, paint)].join('\n\n')
}

type Paint = (code: number, text: string) => string

function lines({ id, severity, field, line, column, text, fix }: Finding, paint: Paint): readonly string[] {
  const place = [field, line === undefined ? undefined : `line ${line}, column ${column}`].filter((part) => part !== undefined).join(' ')
  return [
    `  ${paint(colours[severity], `${marks[severity]} ${severity.padEnd(7)}`)}  ${place === '' ? '' : `${printable(place)}: `}${printable(text)}  ${paint(2, id)}`,
    `             ${paint(2, `→ ${fix}`)}`,
  ]
}

function summary(findings: readonly Finding[], looked: string, paint: Paint): string {
  const { errors, warnings, notes } = countsOf(findings)
  const many = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
  const verdict = errors > 0 ? paint(31, many(errors, 'error')) : paint(32, 'no errors')
  return `${verdict}, ${many(warnings, 'warning')}, ${many(notes, 'note')} in ${looked}. Each is explained in docs/doctor.md.`
}
