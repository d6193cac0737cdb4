// What the fleet shows while it runs, on standard error: one living line on a terminal, a plain line now and then in a pipe.
import { formatDuration } from '../lib/units.ts'
import type { FleetProgress } from './report.ts'

interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export interface Progress {
  show(progress: FleetProgress): void
  /** Leaves the cursor on an empty line. */
  end(): void
}

const plainEveryMs = 5_000

export function createProgress(terminal: Terminal): Progress {
  let before: FleetProgress | undefined
  let plainAt = plainEveryMs
  return {
    show(progress) {
      const line = progressLine(progress, before)
      if (terminal.isTTY) {
        terminal.write(`\r\u001b[K${line}`)
        before = progress
      } else if (progress.elapsedMs >= plainAt - 50) {
        terminal.write(`${line}\n`)
        before = progress
        plainAt = progress.elapsedMs + plainEveryMs
      }
    },
    end() {
      if (terminal.isTTY && before) terminal.write('\r\u001b[K')
    },
  }
}

/** The rate is that since the line before. */
export function progressLine(now: FleetProgress, before?: FleetProgress): string {
  const seconds = (now.elapsedMs - (before?.elapsedMs ?? 0)) / 1_000
  const rate = seconds > 0 ? (now.sent - (before?.sent ?? 0)) / seconds : 0
  const time =
    now.durationMs === undefined ? formatDuration(now.elapsedMs) : `${formatDuration(now.elapsedMs)} of ${formatDuration(now.durationMs)}`
  return [
    time,
    `${now.connected}/${now.devices} connected`,
    `${Math.round(rate)}/s`,
    `${now.sent} sent`,
    `${now.acked} acked`,
    now.ackMs && `ack p50 ${now.ackMs.p50.toFixed(1)} p99 ${now.ackMs.p99.toFixed(1)} ms`,
    now.failed && `${now.failed} FAILED`,
    now.dropped && `${now.dropped} dropped`,
  ]
    .filter(Boolean)
    .join(' · ')
}
