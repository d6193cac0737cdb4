// Starts whatever may start now, as many at once and as fast as allowed, and sleeps until the rest may.
import type { Clock } from '../../lib/clock.ts'
import type { Held } from './in-hand.ts'
import type { Limiter } from './limiter.ts'
import type { Waiting } from './waiting.ts'

export interface Pump {
  readonly running: number
  /** Another one could start if something came. */
  readonly hungry: boolean
  /** To be called when something came, ended, or was given its time. */
  turn(): void
  start(): void
  /** Starts nothing more; what runs goes on. */
  stop(): void
  /** Resolves when nothing runs. */
  ended(): Promise<void>
}

export interface PumpOptions {
  readonly waiting: Waiting
  /** Its turn has come, and its lease is gone. */
  readonly lost: (entry: Held) => void
  readonly limiter: Pick<Limiter, 'tryTake' | 'waitMs'>
  /** The most at once. */
  readonly allowed: () => number
  /** Resolves when its slot is free again. Never rejects. */
  readonly run: (entry: Held) => Promise<void>
  /** After every turn: there may be room for more. */
  readonly turned: () => void
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
}

export function createPump({ waiting, lost, limiter, allowed, run, turned, clock }: PumpOptions): Pump {
  let running = 0
  let open = false
  let idle = Promise.withResolvers<void>()
  let alarm: { readonly at: number; readonly off: AbortController } | undefined

  const turn = () => {
    let waitMs = 0
    while (open && running < allowed() && waiting.size > 0) {
      waitMs = limiter.waitMs()
      const entry = waitMs > 0 ? undefined : waiting.take()
      if (!entry) break
      if (entry.lost) {
        lost(entry)
        waiting.done(entry)
        continue
      }
      limiter.tryTake()
      void launch(entry)
    }
    arm(waitMs)
    turned()
  }

  const launch = async (entry: Held) => {
    running++
    await run(entry)
    running--
    waiting.done(entry)
    if (running === 0) idle.resolve()
    turn()
  }

  /** What waits for a slot is started when one is free; what waits for time needs waking. */
  const arm = (limiterMs: number) => {
    if (!open || running >= allowed() || waiting.size === 0) return
    const now = clock.monotonic()
    const due = limiterMs > 0 ? now + limiterMs : waiting.nextAt()
    if (due === Infinity) return
    // What fell due since it was last looked at is looked at again soon.
    const at = Math.max(due, now + 1)
    if (alarm && alarm.at <= at) return
    alarm?.off.abort()
    const off = new AbortController()
    alarm = { at, off }
    clock.sleep(at - now, off.signal).then(
      () => {
        alarm = undefined
        turn()
      },
      () => undefined,
    )
  }

  return {
    get running() {
      return running
    },
    get hungry() {
      return running < allowed()
    },
    turn,
    start() {
      open = true
    },
    stop() {
      open = false
      alarm?.off.abort()
    },
    async ended() {
      if (running === 0) return
      idle = Promise.withResolvers()
      await idle.promise
    },
  }
}
