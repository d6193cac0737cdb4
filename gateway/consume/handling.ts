// Runs the handler: with a whole message or with each part of a packed one, and never for longer than it may take.
import type { Clock } from '../../lib/clock.ts'
import { GatewayError } from '../errors.ts'
import { isPermanentFailure, isStopping } from './failure.ts'
import type { Held } from './in-hand.ts'
import type { Limiter } from './limiter.ts'
import type { Pace } from './pace.ts'
import type { Part } from './parts.ts'
import type { Handler, Item } from './queue.ts'
import type { Settling } from './settling.ts'
import type { Tally } from './tally.ts'

export interface Handling {
  /** Undefined: nothing is left to do but to remove it. Else what stands in the way. */
  handle(entry: Held): Promise<Error | undefined>
  /** Aborts what runs, and what would begin; it fails with STOPPING, which is nobody's failure. */
  abort(): void
  start(): void
  stop(): void
}

export interface HandlingOptions {
  readonly handler: Handler
  readonly unpack: ((item: Item) => readonly Part[] | undefined) | undefined
  readonly fifo: boolean
  readonly handlerTimeout: number
  readonly settling: Pick<Settling, 'bury' | 'retryPart'>
  readonly limiter: Pick<Limiter, 'borrow'>
  readonly pace: Pick<Pace, 'outcome'>
  readonly tally: Pick<Tally, 'handled'>
  readonly clock: Pick<Clock, 'monotonic' | 'every'>
}

interface Run {
  readonly deadline: number
  readonly abort: AbortController
  readonly giveUp: (error: Error) => void
}

export function createHandling(options: HandlingOptions): Handling {
  const { handler, unpack, fifo, handlerTimeout, settling, limiter, pace, tally, clock } = options
  const runs = new Set<Run>()
  let aborted = false
  let off: (() => void) | undefined

  const handle = async (entry: Held): Promise<Error | undefined> => {
    try {
      const parts = unpack?.(entry.item)
      return parts ? await handleParts(entry, parts) : await attempt(entry, entry.item)
    } catch (error) {
      return toError(error)
    }
  }

  /** A part's failure is its own: it is tried again, or buried, apart from the others. FIFO keeps the order instead. */
  const handleParts = async (entry: Held, parts: readonly Part[]): Promise<Error | undefined> => {
    limiter.borrow(parts.length - entry.parts - 1)
    for (; entry.parts < parts.length; entry.parts++) {
      const item = { ...entry.item, ...parts[entry.parts]! }
      const error = await attempt(entry, item)
      if (error === undefined) continue
      if (isPermanentFailure(error)) await settling.bury(entry, item, 'HANDLER_REFUSED', error.reason)
      else if (fifo || isStopping(error)) return error
      else await settling.retryPart(entry, item, error)
    }
    return undefined
  }

  /** What the handler made of it: undefined for done, else what it threw. */
  const attempt = async (entry: Held, item: Item): Promise<Error | undefined> => {
    if (aborted) return stopping() // a pack that was between two readings
    const abort = new AbortController()
    const { promise: gaveUp, reject: giveUp } = Promise.withResolvers<never>()
    const startedAt = clock.monotonic()
    const run: Run = { deadline: startedAt + handlerTimeout, abort, giveUp }
    runs.add(run)
    const work = async () => handler(item, abort.signal) // also for a handler that throws before it promises
    const error = await Promise.race([work(), gaveUp]).then(() => undefined, toError)
    runs.delete(run)
    const ms = clock.monotonic() - startedAt
    const again = item.receives + entry.tries > 1
    if (!isStopping(error)) pace.outcome(error === undefined || isPermanentFailure(error), ms, again)
    if (error === undefined) tally.handled(entry, ms)
    return error
  }

  const expire = () => {
    const now = clock.monotonic()
    for (const run of runs) if (run.deadline <= now) cancel(run, new GatewayError('HANDLER_TIMEOUT', 'the handler took too long'))
  }

  return {
    handle,
    abort() {
      aborted = true
      for (const run of runs) cancel(run, stopping())
    },
    start() {
      off ??= clock.every(Math.min(1_000, Math.max(20, handlerTimeout / 20)), expire)
    },
    stop() {
      off?.()
      off = undefined
    },
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new GatewayError('HANDLER_FAILED', 'the handler threw something that is no error')
}

const stopping = () => new GatewayError('STOPPING', 'the consumer stops')

function cancel({ abort, giveUp }: Run, error: GatewayError): void {
  abort.abort(error)
  giveUp(error)
}
