// The log: one JSON line per event, with its name first. Repeating warnings are thinned out here and nowhere else.
import pino from 'pino'
import type { Clock } from '../../lib/clock.ts'
import { type EventKind, type EventName, events, type Fields } from './events.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface Log {
  write(event: EventName, fields: Fields): void
}

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; anything with `write(line)`. */
  readonly destination: { write(line: string): void }
  readonly clock: Clock
}

/** Of one kind of warning (same event, code, rule, queue, caller) so many lines in a window; the next window tells how many were left out. */
const burst = 5
const windowMs = 10_000
const maxWindows = 1_000

export function createLog({ level, destination, clock }: LogOptions): Log {
  const form = {
    base: null,
    timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const logger = pino({ ...form, level }, destination)
  const always = pino({ ...form, level: 'debug' }, destination)
  const windows = new Map<string, { until: number; lines: number; suppressed: number }>()

  /** A key may hold a name that a client chose. The oldest windows go where none is over. */
  const makeRoom = (now: number) => {
    for (const [key, { until }] of windows) if (until <= now) windows.delete(key)
    for (const key of windows.keys()) {
      if (windows.size < maxWindows) return
      windows.delete(key)
    }
  }

  const allowed = (
    event: EventName,
    { code = '', rule = '', queue = '', caller = '' }: Fields,
  ): { readonly suppressed?: number } | undefined => {
    const key = `${event} ${code} ${rule} ${queue} ${caller}`
    const now = clock.monotonic()
    const window = windows.get(key)
    if (window && now < window.until) {
      if (window.lines++ < burst) return {}
      window.suppressed++
      return undefined
    }
    if (windows.size >= maxWindows) makeRoom(now)
    windows.set(key, { until: now + windowMs, lines: 1, suppressed: 0 })
    return window && window.suppressed > 0 ? { suppressed: window.suppressed } : {}
  }

  return {
    write(event, fields) {
      const kind: EventKind = events[event]
      if (kind.level === 'none') return
      if (kind.always) return always[kind.level]({ event, ...fields })
      if (!logger.isLevelEnabled(kind.level)) return
      const repeats = kind.level === 'warn' || kind.level === 'error' ? allowed(event, fields) : {}
      if (repeats) logger[kind.level]({ event, ...fields, ...repeats })
    },
  }
}

/** A log whose first line is the one a waiting program looks for: what came before it follows it. */
export function startingWith(first: EventName, log: Log): Log {
  let held: (readonly [EventName, Fields])[] | undefined = []
  return {
    write(event, fields) {
      if (!held) return log.write(event, fields)
      if (event !== first) return void held.push([event, fields])
      log.write(event, fields)
      for (const [event, fields] of held) log.write(event, fields)
      held = undefined
    },
  }
}
