// A way out for clients that hide their sockets: an HTTP CONNECT proxy on loopback whose far side is counted, and can be cut.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Wiring } from './wire.ts'

export interface Tunnel {
  /** A line through the tunnel for one client, who gives its name as the proxy's user. */
  line(): Promise<Line>
  stop(): void
}

export interface Line {
  readonly proxy: { readonly port: number; readonly user: string }
  /** Why the target could not be reached. How a line that stood has ended, the client knows better. */
  readonly failure: Error | undefined
  cut(): void
  pause(on: boolean): void
  /** Nobody comes by this name any more. */
  release(): void
}

interface Ends {
  far?: Socket
  failure?: Error
}

/** TLS runs from the client to the target; the tunnel sees ciphertext, and leads nowhere but to the target. */
export function createTunnel(wiring: Wiring, target: URL, port: number): Tunnel {
  const lines = new Map<string, Ends>()
  let listening: Promise<Server> | undefined
  let last = 0

  const onConnect = (request: IncomingMessage, near: Duplex, head: Buffer) => {
    near.on('error', () => undefined)
    const ends = lines.get(userOf(request))
    if (!ends || ends.far?.destroyed === false) return near.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const far = wiring.dial(target, port)
    ends.far = far
    const onError = (error: Error) => {
      ends.failure = error
    }
    far.once('error', onError).once('connect', () => {
      far.off('error', onError)
      near.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      far.write(head)
      near.pipe(far).pipe(near)
    })
    far.once('close', () => near.destroy())
    near.once('close', () => far.destroySoon())
  }

  return {
    async line() {
      listening ??= listen(createServer().on('connect', onConnect))
      const { port } = (await listening).address() as AddressInfo
      const user = String(++last)
      const ends: Ends = {}
      lines.set(user, ends)
      return {
        proxy: { port, user },
        get failure() {
          return ends.failure
        },
        cut: () => void ends.far?.resetAndDestroy(),
        pause: (on) => void (on ? ends.far?.pause() : ends.far?.resume()),
        release: () => void lines.delete(user),
      }
    },
    stop: () => void listening?.then((server) => server.close()),
  }
}

/** Loopback only: it is no proxy for anybody else. Does not keep the process alive. */
function listen(server: Server): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server.unref()))
  })
}

function userOf({ headers }: IncomingMessage): string {
  const encoded = headers['proxy-authorization']?.replace(/^Basic /i, '') ?? ''
  return Buffer.from(encoded, 'base64').toString().split(':')[0] ?? ''
}
