// The HTTP and HTTPS doors: who sends a request is asked once a connection, and what it publishes goes the way of all publishes.
import type { Socket } from 'node:net'
import type { Access, Session } from '../access/access.ts'
import type { Observe } from '../observe/observe.ts'
import type { RequestCredentials } from './credentials.ts'
import { type Address, createHttpDoor, type Door } from './door.ts'
import { createHttpIngest } from './ingest-http.ts'
import type { Publisher } from './publisher.ts'
import { createServer } from './server.ts'
import type { TlsFiles } from './tls.ts'
import type { Guard } from './trust.ts'

export interface HttpDoorOptions extends Address {
  readonly access: Access
  readonly publish: Publisher
  readonly observe: Observe
  readonly uuid: () => string
  readonly guard: Guard
  readonly tls?: TlsFiles
}

/** The largest body there is where payloads have no limit. */
const anyBytes = 16 * 1024 * 1024

export function createHttpIngestDoor({ access, publish, observe, uuid, guard, tls, ...address }: HttpDoorOptions): Door {
  const server = createServer({ observe, uuid, guard, tls })
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
    if (before?.name === name && !before.session.revoked()) return before.session
    const session = await access.enter({ transport, ...credentials })
    known.set(socket, { name, session })
    return session
  }
}
