// Sockets that are counted: the bytes of a driver are those of its TCP sockets, whatever is spoken on top of them.
import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { DriverOptions, Wire } from './driver.ts'

export interface Wiring {
  readonly wire: Wire
  /** A TCP socket that is still connecting; `port` is used when the target names none. */
  dial(target: URL, port: number, options?: Pick<TcpNetConnectOpts, 'onread'>): Socket
}

/** Sockets that are gone leave their counts behind; those that live are asked. */
export function createWiring(): Wiring {
  const gone = { sent: 0, received: 0 }
  const sockets = new Set<Socket>()
  const total = (of: 'bytesWritten' | 'bytesRead', before: number) => {
    let sum = before
    for (const socket of sockets) sum += socket[of]
    return sum
  }
  function bury(this: Socket) {
    sockets.delete(this)
    gone.sent += this.bytesWritten
    gone.received += this.bytesRead
  }
  return {
    wire: {
      get sent() {
        return total('bytesWritten', gone.sent)
      },
      get received() {
        return total('bytesRead', gone.received)
      },
    },
    dial(target, port, options = {}) {
      const socket = connectTcp({ host: hostOf(target), port: Number(target.port || port), noDelay: true, ...options })
      sockets.add(socket)
      // Told by `close` and by whoever waits to be connected; an emitter without a listener would throw it.
      return socket.on('error', () => undefined).on('close', bury)
    },
  }
}

/** TLS on top of a counted socket, with the device's own certificate where there is one. */
export async function secure(
  raw: Socket,
  target: URL,
  clientId: string,
  { credentials, ca }: Pick<DriverOptions, 'credentials' | 'ca'>,
): Promise<TLSSocket> {
  const own = await credentials?.(clientId).catch((error) => {
    raw.destroy()
    throw error
  })
  // It may have been refused while the certificate was read.
  if (raw.destroyed) throw raw.errored ?? new Error('the connection was closed')
  const host = hostOf(target)
  const tls = connectTls({
    socket: raw,
    host,
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ...(ca === undefined ? {} : { ca }),
    ...own,
  })
  // A raw socket that is cut or refused ends the TLS session above it.
  tls.on('error', () => undefined)
  raw.once('error', (error) => tls.destroy(error))
  raw.once('close', () => tls.destroy())
  return tls
}

export function hostOf(target: URL): string {
  return target.hostname.replace(/^\[|\]$/g, '')
}

/** Resolves once the socket is connected, or secure where it is TLS. */
export function opened(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  })
}
