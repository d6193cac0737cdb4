// Progress of a run: one line that fills on a terminal, a line for each step in a pipe.
import type { Clock } from '../../lib/clock.ts'
import { formatDuration } from '../../lib/units.ts'
import type { Progress } from '../run/run.ts'

const steps = { open: 'opening and closing connections', idle: 'keeping them alive', talk: 'sending readings' } as const satisfies Record<
  Progress['phase'],
  string
>
const width = 24

export interface ProgressDisplay {
  show(progress: Progress): void
  end(all: number): void
  /** Leaves room for what went wrong. */
  clear(): void
}

export function createProgress(
  out: { readonly isTTY?: boolean; write(text: string): boolean },
  clock: Pick<Clock, 'monotonic'>,
): ProgressDisplay {
  const since = clock.monotonic()
  const clear = () => void (out.isTTY && out.write('\r\u001b[2K'))
  const elapsed = () => formatDuration(clock.monotonic() - since)
  const line = (done: number, all: number, text: string) => {
    const filled = Math.round((done / all) * width)
    out.write(`\r\u001b[2K[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${done} of ${all}  ${text}  ${elapsed()}`)
  }
  return {
    show({ done, all, transport, phase }) {
      if (out.isTTY) line(done, all, `${transport}: ${steps[phase]}`)
      else if (phase === 'open') out.write(`measuring ${transport} (step ${done + 1} of ${all}, ${elapsed()})\n`)
    },
    end(all) {
      clear()
      if (!out.isTTY) out.write(`${all} steps in ${elapsed()}\n`)
    },
    clear,
  }
}
