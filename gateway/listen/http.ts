// The HTTP and HTTPS doors: a server that a slow or broken client cannot hold, with the publish of AWS IoT Core on it.
import type { Socket } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import type { Access, Session } from '../access/access.ts'
import type { Observe } from '../observe/observe.ts'
import type { RequestCredentials } from './credentials.ts'
import { type Address, createHttpDoor, type Door, watchHandshakes } from './door.ts'
import { createHttpIngest } from './ingest-http.ts'
import { answerWithProblems, createProblems, problemServerOptions } from './problem.ts'
import type { Publisher } from './publisher.ts'
import { type TlsFiles, toTlsOptions } from './tls.ts'

export interface HttpDoorOptions extends Address {
  readonly access: Access
  readonly publish: Publisher
  readonly observe: Observe
  readonly uuid: () => string
  readonly tls?: TlsFiles
}

/** A client that says little at a time has this long for a request; one that says nothing, for the next one. */
const requestTimeoutMs = 30_000
const headersTimeoutMs = 10_000
const idleTimeoutMs = 60_000
const maxConnections = 20_000
/** The largest body there is where payloads have no limit. */
const anyBytes = 16 * 1024 * 1024

export function createHttpIngestDoor({ access, publish, observe, uuid, tls, ...address }: HttpDoorOptions): Door {
  const problems = createProblems({ observe, uuid })
  const server = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 5_000 },
    ...problemServerOptions(problems, { observe, uuid }),
    ...(tls ? { https: { ...toTlsOptions(tls), headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 5_000 } } : {}),
  } as object) as unknown as FastifyInstance
  answerWithProblems(server, problems)
  server.server.maxConnections = maxConnections
  watchHandshakes(server.server, observe)

  const sessionOf = createSessions(access, tls ? 'https' : 'http')
  server.register(
    createHttpIngest({
      observe,
      uuid,
      maxPayloadBytes: Math.min(access.limits.quotas.payloadBytes, anyBytes),
      publish: async (publication, credentials, socket) => publish(await sessionOf(socket, credentials), publication),
    }),
  )
  return createHttpDoor(server, address)
}

/** Who a connection is, asked once for as long as it names the same secrets; its limits count over all its requests. */
function createSessions(access: Access, transport: 'http' | 'https') {
  const known = new WeakMap<Socket, { readonly name: string; readonly session: Session }>()
  return async (socket: Socket, credentials: RequestCredentials): Promise<Session> => {
    const { token, username, password, loopback } = credentials
    const name = JSON.stringify([token, username, password, loopback])
    const before = known.get(socket)
    if (before?.name === name) return before.session
    const session = await access.enter({ transport, ...credentials })
    known.set(socket, { name, session })
    return session
  }
}
