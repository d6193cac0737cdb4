// What the fleet shows while it runs, on standard error: a living view on a terminal, a plain line now and then in a pipe.

import { printable } from '../lib/printable.ts'
import { formatDuration } from '../lib/units.ts'
import type { FleetProgress } from './report.ts'

interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface Progress {
  show(progress: FleetProgress): void
  /** A line that stays. */
  note(text: string): void
  /** Leaves the cursor on an empty line. */
  end(): void
}

const plainEveryMs = 5_000
const barWidth = 30
const ratesShown = 30

export function createProgress(terminal: Terminal): Progress {
  return terminal.isTTY ? createView(terminal) : createLines(terminal)
}

function createLines(terminal: Terminal): Progress {
  let before: FleetProgress | undefined
  let nextAt = plainEveryMs
  return {
    show(progress) {
      // A timer may be a little early.
      if (progress.elapsedMs < nextAt - 50) return
      terminal.write(`${progressLine(progress, before)}\n`)
      before = progress
      nextAt = progress.elapsedMs + plainEveryMs
    },
    note: (text) => void terminal.write(`${text}\n`),
    end: () => undefined,
  }
}

function createView(terminal: Terminal): Progress {
  let before: FleetProgress | undefined
  let rates: readonly number[] = []
  let shown = 0
  const erase = () => (shown ? `\u001b[${shown}A\r\u001b[J` : '')
  return {
    show(progress) {
      rates = [...rates, rateSince(progress, before)].slice(-ratesShown)
      before = progress
      // A line that the terminal breaks would count as two when it is erased.
      const lines = viewLines(progress, rates).map((line) => [...line].slice(0, (terminal.columns ?? 100) - 1).join(''))
      terminal.write(`${erase()}${lines.join('\n')}\n`)
      shown = lines.length
    },
    note(text) {
      terminal.write(`${erase()}${text}\n`)
      shown = 0
    },
    end() {
      terminal.write(erase())
      shown = 0
    },
  }
}

/** Rates are readings a second, the newest last. */
export function viewLines(now: FleetProgress, rates: readonly number[]): readonly string[] {
  const { devices, connected, sent, acked, ackMs, failed, dropped, late, worst = [] } = now
  const counts = (things: Readonly<Record<string, number>>) =>
    Object.entries(things)
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${count(n)} ${name}`)
      .join(', ')
  const rows: readonly (readonly [string, string])[] = [
    ['devices', `${bar(connected / devices)}  ${count(connected)} of ${count(devices)} connected`],
    ['time', `${now.durationMs === undefined ? '' : `${bar(now.elapsedMs / now.durationMs)}  `}${timeOf(now)}`],
    ['rate', `${sparkline(rates).padEnd(barWidth)}  ${count(rates.at(-1) ?? 0)} readings/s`],
    ['readings', `${count(sent)} sent, ${count(acked)} acknowledged`],
    ['ack', ackMs ? (['p50', 'p95', 'p99', 'max'] as const).map((of) => `${of} ${ackMs[of].toFixed(1)} ms`).join('   ') : '-'],
    ['trouble', counts({ FAILED: failed, dropped, late }) || 'none'],
    ...worst.map(({ device, failed: failures, slowestAckMs }, rank) => {
      const slow = slowestAckMs ? [`slowest ack ${slowestAckMs.toFixed(1)} ms`] : []
      return [rank ? '' : 'worst', [device, ...(failures ? [`${count(failures)} failed`] : []), ...slow].join('   ')] as const
    }),
  ]
  return rows.map(([name, text]) => printable(`${name.padEnd(10)}${text}`))
}

/** The rate is that since the line before. */
export function progressLine(now: FleetProgress, before?: FleetProgress): string {
  return [
    timeOf(now),
    `${now.connected}/${now.devices} connected`,
    `${rateSince(now, before)}/s`,
    `${now.sent} sent`,
    `${now.acked} acked`,
    now.ackMs && `ack p50 ${now.ackMs.p50.toFixed(1)} p99 ${now.ackMs.p99.toFixed(1)} ms`,
    now.failed && `${now.failed} FAILED`,
    now.dropped && `${now.dropped} dropped`,
  ]
    .filter(Boolean)
    .join(' · ')
}

function timeOf({ elapsedMs, durationMs }: FleetProgress): string {
  const whole = (ms: number) => formatDuration(Math.round(ms / 1_000) * 1_000)
  return durationMs === undefined ? whole(elapsedMs) : `${whole(elapsedMs)} of ${whole(durationMs)}`
}

function rateSince(now: FleetProgress, before: FleetProgress | undefined): number {
  const seconds = (now.elapsedMs - (before?.elapsedMs ?? 0)) / 1_000
  return seconds > 0 ? Math.round((now.sent - (before?.sent ?? 0)) / seconds) : 0
}

function bar(part: number): string {
  const full = Math.round(Math.min(1, part) * barWidth)
  return '█'.repeat(full) + '░'.repeat(barWidth - full)
}

function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values)
  return values.map((value) => '▁▂▃▄▅▆▇█'[Math.ceil((value / most) * 7)]).join('')
}

function count(n: number): string {
  return n.toLocaleString('en-US')
}
