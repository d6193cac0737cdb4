// An HTTP server whose every error is a problem document, and which a slow or broken client cannot hold.
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify'
import { watchHandshakes } from './door.ts'
import { answerWithProblems, createProblems, type ProblemOptions, problemServerOptions } from './problem.ts'
import { type TlsFiles, toTlsOptions } from './tls.ts'

export interface ServerOptions extends ProblemOptions {
  readonly tls?: TlsFiles | undefined
}

/** A client that says little at a time has this long for a request; one that says nothing, for the next one. */
const requestTimeoutMs = 30_000
const headersTimeoutMs = 10_000
const idleTimeoutMs = 60_000
const checkMs = 5_000
const maxConnections = 20_000

export function createServer({ tls, ...options }: ServerOptions): FastifyInstance {
  const problems = createProblems(options)
  const slow = { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: checkMs }
  const common = {
    logger: false,
    forceCloseConnections: true,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    ...problemServerOptions(problems, options),
  }
  // fastify has a type of its own for each kind of server; to its users they are one.
  const kind = tls ? { https: { ...toTlsOptions(tls), ...slow } } : { http: slow }
  const server = fastify({ ...common, ...kind } as FastifyServerOptions) as FastifyInstance
  answerWithProblems(server, problems)
  server.server.maxConnections = maxConnections
  watchHandshakes(server.server, options.observe)
  return server
}
