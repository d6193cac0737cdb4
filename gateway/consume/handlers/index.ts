// The kinds of handler: the whole registry.
import { z } from 'zod'
import type { BoundHandler, HandlerDeps, HandlerKind } from './handler.ts'
import { http } from './http.ts'
import { log } from './log.ts'
import { module } from './module.ts'
import { ndjson } from './ndjson.ts'

// biome-ignore lint/suspicious/noExplicitAny: each row has parameters of its own
export const handlers = { log, ndjson, http, module } as const satisfies Record<string, HandlerKind<any>>

export const handlerSchema = z.discriminatedUnion('kind', [
  log.params.extend({ kind: z.literal('log').describe(log.summary) }),
  ndjson.params.extend({ kind: z.literal('ndjson').describe(ndjson.summary) }),
  http.params.extend({ kind: z.literal('http').describe(http.summary) }),
  module.params.extend({ kind: z.literal('module').describe(module.summary) }),
])

export type HandlerConfig = z.output<typeof handlerSchema>

/** Rejects with HANDLER_INVALID where the configuration points at nothing usable. */
export function bindHandler({ kind, ...params }: HandlerConfig, deps: HandlerDeps): Promise<BoundHandler> {
  const { bind } = handlers[kind] as HandlerKind<unknown>
  return bind(params, deps)
}
