// What the gateway depends on and cannot reach right now.
import type { Observatory } from './observe.ts'

export interface Health {
  readonly status: 'ok' | 'degraded'
  /** One word or name per thing that is away. */
  readonly reasons: readonly string[]
}

/** A target may be named by a client. */
const mostReasons = 1_000

/** `gateway.degraded` puts its `target`, or its `code` where it has none, on the list, `gateway.recovered` takes it off. */
export function createHealth(observe: Observatory): () => Health {
  const away = new Set<string>()
  observe.listen((event, { target, code }) => {
    if (event === 'gateway.degraded' && away.size < mostReasons) away.add(String(target ?? code))
    if (event === 'gateway.recovered') away.delete(String(target ?? code))
  })
  return () => ({ status: away.size === 0 ? 'ok' : 'degraded', reasons: [...away] })
}
