// What the gateway depends on and cannot reach right now, and what a person has to look at.
import type { Observatory } from './observe.ts'

export interface Health {
  readonly status: 'ok' | 'degraded'
  /** One word or name per thing. */
  readonly reasons: readonly string[]
  /** By reason, a sentence where there is one. */
  readonly details?: Readonly<Record<string, string>>
}

/** A target may be named by a client. */
const mostReasons = 1_000

/** `gateway.degraded` puts its `target`, or its `code` where it has none, on the list, `gateway.recovered` takes it off. */
export function createHealth(observe: Observatory): () => Health {
  const reasons = new Map<string, string | undefined>()
  observe.listen((event, { target, code, detail }) => {
    const reason = String(target ?? code)
    if (event === 'gateway.degraded' && (reasons.has(reason) || reasons.size < mostReasons || code === 'MESSAGES_LOST'))
      reasons.set(reason, code === 'MESSAGES_LOST' ? detail : undefined)
    if (event === 'gateway.recovered') reasons.delete(reason)
  })
  return () => {
    const details = Object.fromEntries([...reasons].flatMap(([reason, detail]) => (detail === undefined ? [] : [[reason, detail]])))
    return {
      status: reasons.size === 0 ? 'ok' : 'degraded',
      reasons: [...reasons.keys()],
      ...(Object.keys(details).length > 0 && { details }),
    }
  }
}
