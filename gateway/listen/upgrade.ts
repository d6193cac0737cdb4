// An HTTP server that only upgrades connections to WebSockets. Refused upgrades are answered with a problem document.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { endWithProblem, problemCode } from './problem.ts'
import { httpTimeouts, maxConnections } from './server.ts'
import { toOriginForm } from './target.ts'
import { type TlsFiles, toTlsOptions } from './tls.ts'
import type { Guard } from './trust.ts'

export interface UpgradeOptions {
  readonly transport: string
  readonly guard: Guard
  readonly observe: Observe
  readonly uuid: () => string
  readonly tls?: TlsFiles | undefined
  /** Takes the connection over. An error it throws or rejects with refuses the upgrade. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void | Promise<void>
}

export function createUpgradeServer({ transport, guard, observe, uuid, tls, upgrade }: UpgradeOptions): Server {
  const server = tls ? createTlsServer({ ...toTlsOptions(tls), ...httpTimeouts }) : createServer(httpTimeouts)
  server.maxConnections = maxConnections

  const refuse = (socket: Duplex, error: unknown) => {
    const code = problemCode(error)
    const id = uuid()
    observe.record('request.refused', { code, instance: id, transport, detail: textOf(error) })
    endWithProblem(socket, code, id)
  }

  server.on('request', (_request, response) => response.writeHead(426, { upgrade: 'websocket', connection: 'close' }).end())
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const take = async () => {
      const refusal = guard(request)
      if (refusal) throw refusal
      request.url = toOriginForm(request.url ?? '/')
      await upgrade(request, socket, head)
    }
    take().catch((error) => refuse(socket, error))
  })
  return server
}
