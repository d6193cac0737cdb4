// An HTTP server whose every error is a problem document, and which a slow or broken client cannot hold.
import type { ServerOptions as HttpOptions } from 'node:http'
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify'
import { watchHandshakes } from './door.ts'
import { answerWithProblems, createProblems, type ProblemOptions, problemServerOptions } from './problem.ts'
import { toOriginForm, wrongTarget } from './target.ts'
import { type TlsFiles, toTlsOptions } from './tls.ts'
import type { Guard } from './trust.ts'

export interface ServerOptions extends ProblemOptions {
  readonly guard: Guard
  readonly tls?: TlsFiles | undefined
}

/**
 * How long a client may take: for its headers, for a whole request, and until its next request. `connectionsCheckingInterval` is
 * how often Node.js looks, so each limit may be exceeded by that much.
 */
export const httpTimeouts = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
} as const satisfies HttpOptions

/** Connections of one listener, idle ones included. */
export const maxConnections = 20_000

export function createServer({ tls, guard, ...options }: ServerOptions): FastifyInstance {
  const problems = createProblems(options)
  const { requestTimeout, keepAliveTimeout } = httpTimeouts
  const common = {
    logger: false,
    forceCloseConnections: true,
    requestTimeout,
    keepAliveTimeout,
    rewriteUrl: ({ url = '/' }: { readonly url?: string }) => toOriginForm(url),
    ...problemServerOptions(problems, options),
  }
  // fastify has a type of its own for each kind of server; to its users they are one.
  const kind = tls ? { https: { ...toTlsOptions(tls), ...httpTimeouts } } : { http: httpTimeouts }
  const server = fastify({ ...common, ...kind } as FastifyServerOptions) as FastifyInstance
  // Before routing finds out what the path means, also for paths that do not exist.
  server.addHook('onRequest', ({ raw }, _reply, done) => done(guard(raw) ?? wrongTarget(raw.url ?? '')))
  answerWithProblems(server, problems)
  server.server.maxConnections = maxConnections
  watchHandshakes(server.server, options.observe)
  return server
}
