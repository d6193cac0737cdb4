// What the gateway depends on and cannot reach right now.
import type { Observatory } from './observe.ts'

export interface Health {
  readonly status: 'ok' | 'degraded'
  /** One word or name per thing that is away. */
  readonly reasons: readonly string[]
}

/** `gateway.degraded` with a `target` puts it on the list, `gateway.recovered` takes it off. */
export function createHealth(observe: Observatory): () => Health {
  const away = new Set<string>()
  observe.listen((event, { target }) => {
    if (event === 'gateway.degraded') away.add(String(target))
    if (event === 'gateway.recovered') away.delete(String(target))
  })
  return () => ({ status: away.size === 0 ? 'ok' : 'degraded', reasons: [...away] })
}
