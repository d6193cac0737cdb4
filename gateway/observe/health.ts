// What the gateway depends on and cannot reach right now, and what a person has to look at.
import type { Fields } from './events.ts'
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
  const nameOf = ({ target, code }: Fields) => String(target ?? code)
  observe.listen(
    (_, fields) => {
      const { code, detail } = fields
      const reason = nameOf(fields)
      if (!reasons.has(reason) && reasons.size >= mostReasons && code !== 'MESSAGES_LOST') return
      reasons.set(reason, code === 'MESSAGES_LOST' ? detail : undefined)
    },
    ['gateway.degraded'],
  )
  observe.listen((_, fields) => void reasons.delete(nameOf(fields)), ['gateway.recovered'])
  return () => {
    const details = Object.fromEntries([...reasons].flatMap(([reason, detail]) => (detail === undefined ? [] : [[reason, detail]])))
    return {
      status: reasons.size === 0 ? 'ok' : 'degraded',
      reasons: [...reasons.keys()],
      ...(Object.keys(details).length > 0 && { details }),
    }
  }
}
