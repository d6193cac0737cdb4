// Many single calls made into few batched ones, each caller still learning the fate of its own entry.
import type { Clock } from '../../lib/clock.ts'

export interface CoalesceOptions<T> {
  readonly max: number
  /** How long the first entry waits for company; 0: until the present turn of the event loop is over. */
  readonly lingerMs: number
  readonly clock: Pick<Clock, 'sleep'>
  /** One outcome per entry, in their order: undefined for success. Rejecting fails them all. */
  flush(entries: readonly T[]): Promise<readonly (Error | undefined)[]>
}

export function createCoalescer<T>({ max, lingerMs, clock, flush }: CoalesceOptions<T>): (entry: T) => Promise<void> {
  type Waiting = { readonly entry: T; readonly settle: PromiseWithResolvers<void> }
  let batch: Waiting[] = []

  const send = async (full: readonly Waiting[]) => {
    try {
      const outcomes = await flush(full.map(({ entry }) => entry))
      full.forEach(({ settle }, i) => {
        const error = outcomes[i]
        if (error) settle.reject(error)
        else settle.resolve()
      })
    } catch (error) {
      for (const { settle } of full) settle.reject(error)
    }
  }

  const close = (mine: Waiting[]) => {
    if (batch !== mine) return
    batch = []
    void send(mine)
  }

  return (entry) => {
    const settle = Promise.withResolvers<void>()
    batch.push({ entry, settle })
    const mine = batch
    if (mine.length === max) close(mine)
    else if (mine.length === 1) void (lingerMs > 0 ? clock.sleep(lingerMs) : Promise.resolve()).then(() => close(mine))
    return settle.promise
  }
}
