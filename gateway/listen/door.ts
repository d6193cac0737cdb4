// What every door has in common: a socket that listens, a port that may be taken, and connections to close at the end.
import { Server, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'

export const portSchema = z.union([z.number().int().min(0).max(65_535), z.literal('off')])
export type Port = z.infer<typeof portSchema>

export interface Door {
  /** Resolves with the port it listens on. Rejects with PORT_IN_USE, naming the flag that changes it. */
  start(): Promise<number>
  /** Refuses new connections and requests. What was received before is answered. */
  drain(): void
  /** Stops listening and closes every connection. */
  stop(): Promise<void>
}

export interface Address {
  readonly host: string
  readonly port: number
  /** The flag a person changes the port with. */
  readonly flag: string
  /** The one that changes the host. */
  readonly hostFlag?: string
}

export async function listenOn(server: Server, address: Address): Promise<number> {
  const { host, port } = address
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port }, resolve)
  try {
    await promise
  } catch (error) {
    throw toPortError(error as NodeJS.ErrnoException, address)
  }
  return portOf(server, address)
}

function portOf(server: Server, asked: Pick<Address, 'port'>): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : asked.port
}

export function toPortError(error: NodeJS.ErrnoException, { host, port, flag, hostFlag = '--host' }: Address): Error {
  if (error.code === 'EADDRINUSE')
    return new GatewayError('PORT_IN_USE', `port ${port} is in use: choose another with ${flag} (0 = any free, off = none)`)
  if (error.code === 'EACCES') return new GatewayError('PORT_IN_USE', `port ${port} needs more rights: choose another with ${flag}`)
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new GatewayError(
      'CONFIG_INVALID',
      `cannot listen on ${host}: it is not an address of this machine; choose another with ${hostFlag}`,
    )
  }
  return error
}

/** Closes the listening sockets only. `close` of an HTTP server would also cut idle connections, which may be sending a request. */
export function stopAccepting(server: Server): void {
  Server.prototype.close.call(server)
}

/** The answer to what arrives after `drain`. */
export const drainingError = () => new GatewayError('STOPPING', 'the gateway is shutting down')

/** Closes a server and everything connected to it. Safe before it listened, and twice. */
export async function closeServer(server: Server, connections: Iterable<{ destroy(): void }>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  for (const connection of connections) connection.destroy()
  await closed
}

/** A server of sockets as a door. A TLS handshake that fails ends that connection, and is told. */
export function toDoor(server: Server, address: Address, observe: Observe): Door {
  const sockets = new Set<Socket>()
  watchConnections(server, sockets, observe)
  return { start: () => listenOn(server, address), drain: () => stopAccepting(server), stop: () => closeServer(server, sockets) }
}

/** A TLS server tells of the plain connection first, and so also of those that never speak. */
function watchConnections(server: Server, sockets: Set<Socket>, observe: Observe): void {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  watchHandshakes(server, observe)
}

/** A handshake that fails is told, without what the other side claimed to be. */
export function watchHandshakes(server: Server, observe: Observe): void {
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    observe.record('client.refused', { code: 'TLS_FAILED', detail: error.code ?? 'handshake', sourceIp: socket.remoteAddress })
    socket.destroy()
  })
}

/** A fastify server as a door. */
export function createHttpDoor(server: FastifyInstance, address: Address): Door {
  let draining = false
  server.addHook('onRequest', (_request, _reply, done) => done(draining ? drainingError() : undefined))
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining) reply.header('connection', 'close')
    done()
  })
  return {
    async start() {
      try {
        await server.listen({ host: address.host, port: address.port })
      } catch (error) {
        throw toPortError(error as NodeJS.ErrnoException, address)
      }
      return portOf(server.server, address)
    },
    drain() {
      draining = true
      stopAccepting(server.server)
    },
    stop: () => server.close(),
  }
}
