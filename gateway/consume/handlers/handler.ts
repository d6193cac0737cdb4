// What a kind of handler is: its parameters, and how they become a function.
import type { z } from 'zod'
import type { Clock } from '../../../lib/clock.ts'
import type { Handler } from '../queue.ts'

export interface HandlerDeps {
  readonly clock: Clock
  readonly fetch: typeof fetch
  /** One line for people or pipes; the newline is added. */
  readonly print: (line: string) => void
  /** What relative paths are relative to. */
  readonly directory: string
}

export interface BoundHandler {
  readonly handle: Handler
  stop?(): Promise<void>
}

export interface HandlerKind<P> {
  readonly summary: string
  readonly params: z.ZodType<P>
  /** Rejects with HANDLER_INVALID where the parameters point at nothing usable. */
  bind(params: P, deps: HandlerDeps): Promise<BoundHandler>
}
