// Collects bodies into calls. A call costs the same whatever it carries, so calls carry much; but nobody waits for company that may not come.
import type { Clock } from '../../lib/clock.ts'
import { Queue } from '../../lib/queue.ts'
import type { GatewayError } from '../errors.ts'
import { blamesEntry, type Done, toGatewayError } from './action.ts'
import { type Caller, isWanted, letGo, staying, tell } from './callers.ts'

export interface BatchLimits {
  readonly maxEntries: number
  /** Of all entries of a call together. */
  readonly maxBytes: number
  /** Calls in flight at once. */
  readonly maxCalls: number
  /** How long an entry waits for company at most. */
  readonly lingerMs: number
  /** true: with no call in flight an entry waits only while that pays, so a lonely one loses no time. false: it always waits. */
  readonly eager: boolean
}

export interface BatchOptions<E> extends BatchLimits {
  readonly clock: Clock
  /** Resolves with one outcome per entry, undefined meaning accepted. Rejects with a GatewayError when the call as a whole failed. */
  send(entries: readonly E[]): Promise<readonly (GatewayError | undefined)[]>
}

export interface Batcher<E> {
  /** Calls back when this entry was accepted or with its own error, whatever became of its neighbours. */
  add(entry: E, bytes: number, signal: AbortSignal, done: Done): void
  /** Nothing waits and nothing is in flight. */
  isIdle(): boolean
  /** Resolves when idle: everything that was added has been answered. */
  drained(): Promise<void>
}

interface Waiting<E> extends Caller {
  readonly entry: E
  readonly bytes: number
}

/*
   add ─▶ waiting ──┬─ a call's worth is there and a slot is free ───────────────▶ send now
                    ├─ eager, no call in flight, and lingering does not pay ─────▶ send at the end of this turn, or when a call ends
                    └─ else when the oldest has waited for lingerMs ─────────────▶ send

   Lingering pays when the last batch had company: entries that came while others waited or a call was in flight. In a steady stream that is
   so, and calls are as full as lingerMs allows. Senders that wait for their answers have none, and after one try nobody waits for it.
*/
export function createBatcher<E>(options: BatchOptions<E>): Batcher<E> {
  const { maxEntries, maxBytes, maxCalls, lingerMs, eager, clock } = options
  const waiting = new Queue<Waiting<E>>()
  let waitingBytes = 0
  let calls = 0
  /** A target that fails gets half as many at once, and one more with every call that succeeds: what waited through an outage comes gently. */
  let allowed = maxCalls
  let turnScheduled = false
  let lingering = false
  /** When the oldest of those that wait came. */
  let since = 0
  /** Some have waited for longer than the turn they came in. */
  let gathering = false
  let company = false
  let pays = false
  let onIdle: (() => void)[] = []

  const isIdle = () => calls === 0 && waiting.length === 0
  const full = () => waiting.length >= maxEntries || waitingBytes >= maxBytes

  const due = () => onIdle.length > 0 || clock.monotonic() - since >= lingerMs
  const alone = () => eager && !pays && calls === 0

  const flush = () => {
    while (waiting.length > 0 && calls < allowed && (full() || alone() || due())) {
      pays = company
      company = false
      const batch = take()
      if (batch.length > 0) void launch(batch)
    }
    gathering = waiting.length > 0
    if (gathering && calls < allowed) void linger()
    if (onIdle.length > 0 && isIdle()) {
      for (const resolve of onIdle) resolve()
      onIdle = []
    }
  }

  const linger = async () => {
    if (lingering) return
    lingering = true
    await clock.sleep(Math.max(1, Math.ceil(since + lingerMs - clock.monotonic())))
    lingering = false
    flush()
  }

  const take = (): readonly Waiting<E>[] => {
    const batch: Waiting<E>[] = []
    let bytes = 0
    for (let next = waiting.first; next && batch.length < maxEntries; next = waiting.first) {
      if (batch.length > 0 && bytes + next.bytes > maxBytes) break
      bytes += next.bytes
      batch.push(next)
      waiting.shift()
    }
    if (waiting.length > 0) since = clock.monotonic()
    waitingBytes -= bytes
    return staying(batch)
  }

  const launch = async (batch: readonly Waiting<E>[]) => {
    calls++
    const release = letGo(batch)
    try {
      await attempt(batch)
    } finally {
      release()
      calls--
      flush()
    }
  }

  const attempt = async (batch: readonly Waiting<E>[]): Promise<void> => {
    let outcomes: readonly (GatewayError | undefined)[]
    try {
      outcomes = await options.send(batch.map(({ entry }) => entry))
    } catch (error) {
      return failed(batch, toGatewayError(error))
    }
    if (allowed < maxCalls) allowed++
    for (let i = 0; i < batch.length; i++) tell(batch[i]!, outcomes[i] ?? 'accepted')
  }

  const failed = async (batch: readonly Waiting<E>[], error: GatewayError): Promise<void> => {
    const final = blamesEntry(error)
    if (!final) allowed = Math.max(1, allowed >> 1)
    const oneIsToBlame = batch.length > 1 && final
    if (!oneIsToBlame) for (const waiting of batch) tell(waiting, error)
    else for (const single of batch) if (isWanted(single)) await attempt([single])
  }

  const endTurn = () => {
    turnScheduled = false
    flush()
  }

  return {
    add(entry, bytes, signal, done) {
      if (waiting.length === 0) since = clock.monotonic()
      if (gathering || calls > 0) company = true
      waiting.push({ entry, bytes, signal, done })
      waitingBytes += bytes
      if (full()) flush()
      else if (!turnScheduled) {
        turnScheduled = true
        setImmediate(endTurn)
      }
    },
    isIdle,
    drained: () =>
      new Promise((resolve) => {
        onIdle.push(resolve)
        flush()
      }),
  }
}
