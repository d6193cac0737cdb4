// The plan for a person.
import type { Plan } from '../gateway/plan/plan.ts'
import { formatDuration, formatSize } from '../lib/units.ts'

export type Money =
  | { readonly path: string; readonly title: string; readonly monthlyUsd: number; readonly outageUsd: number }
  /** Why this way has no price. */
  | { readonly path: string; readonly title: string; readonly reason: string }

export interface PlanReport extends Plan {
  readonly payloadBytes: number
  /** true: nobody said what consumers handle. */
  readonly capacityAssumed: boolean
  readonly region: string
  readonly cost: readonly Money[]
}

const number = (value: number, digits = 1) =>
  value.toLocaleString('en-US', Math.abs(value) < 1 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: digits })
const usd = (value: number) => `$${value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`

export function planText(report: PlanReport, colour: boolean): string {
  const { devices, payloadBytes, intervalMs, messagesPerSecond, outageMs, backlogMessages, problems } = report
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const title = `${number(devices)} devices, ${number(payloadBytes)} bytes every ${formatDuration(intervalMs)}: ${number(messagesPerSecond)} messages/s`
  const verdict = problems.length === 0 ? [paint(32, 'the plan holds')] : problems.map((problem) => paint(31, `✗ ${problem}`))
  return [
    `${paint(1, title)}\nAn outage of ${formatDuration(outageMs)} leaves ${number(backlogMessages)} messages waiting.`,
    [...spool(report), ...recovery(report), ...reconnect(report)].join('\n'),
    [`${paint(1, 'Quotas')}, the fullest first`, ...quotas(report)].join('\n'),
    [`${paint(1, 'Cost')} in ${report.region}`, ...cost(report)].join('\n'),
    verdict.join('\n'),
  ].join('\n\n')
}

const row = (name: string, text: string) => `  ${name.padEnd(10)}${text}`

function spool({ spool: { recordBytes, bytes, files, maxBytes, fullAfterMs, neededMaxBytes } }: PlanReport): readonly string[] {
  const held = `fits spool.maxBytes of ${formatSize(maxBytes)}`
  const full = () =>
    `set spool.maxBytes to ${formatSize(neededMaxBytes)}: ${formatSize(maxBytes)} is full after ${formatDuration(fullAfterMs!)}`
  return [
    row(
      'spool',
      `${formatSize(bytes)} in ${number(files)} ${files === 1 ? 'file' : 'files'}: ${recordBytes} bytes a message, payload included`,
    ),
    row('', fullAfterMs === null ? held : full()),
  ]
}

function recovery({ recovery: { capacityPerSecond, sparePerSecond, ms }, capacityAssumed }: PlanReport): readonly string[] {
  const handled = `${number(capacityPerSecond)}/s handled${capacityAssumed ? ', assumed to be twice what arrives' : ''}, ${number(sparePerSecond)}/s to spare`
  return [row('recovery', ms === null ? `never: ${handled}` : `level again ${formatDuration(ms)} after it: ${handled}`)]
}

function reconnect({ connectStorm: { connectsPerSecond, ms, quotaPerSecond, atQuotaMs } }: PlanReport): readonly string[] {
  return [
    row(
      'reconnect',
      `${formatDuration(ms)} at ${number(connectsPerSecond)} CONNECT/s, ${formatDuration(atQuotaMs)} at the Region's ${number(quotaPerSecond)}/s; a client id may try once a second`,
    ),
  ]
}

function quotas({ quotas }: PlanReport): readonly string[] {
  const cells = quotas.map(({ name, used, limit, unit, per, share }) => [
    share >= 0.0001 ? `${number(share * 100, 2)} %` : '< 0.01 %',
    name,
    `${number(used)} of ${number(limit)} ${unit}`,
    `per ${per}`,
  ])
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map(
    ([share = '', name = '', amount = '', per = '']) =>
      `  ${share.padStart(widths[0]!)}  ${name.padEnd(widths[1]!)}  ${amount.padEnd(widths[2]!)}  ${per}`,
  )
}

function cost({ cost }: PlanReport): readonly string[] {
  return cost.map((money) =>
    'reason' in money
      ? `  ${money.path}: not priced: ${money.reason}`
      : `  ${`${usd(money.monthlyUsd)} a month`.padStart(22)}  ${`+ ${usd(money.outageUsd)} for the outage`.padStart(24)}  ${money.title}`,
  )
}
