// Opens a WebSocket on a counted socket, with TLS and a device certificate where the target says wss.
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { DriverOptions } from './driver.ts'
import { opened, secure, type Wiring } from './wire.ts'

export interface OpenWebSocket {
  readonly socket: WebSocket
  /** Resets the connection under it. */
  cut(): void
}

/** Resolves when the server has agreed to speak; the caller closes it. */
export async function openWebSocket(
  clientId: string,
  options: DriverOptions,
  wiring: Wiring,
  protocol?: string,
  signal?: AbortSignal,
): Promise<OpenWebSocket> {
  const { target } = options
  const isSecure = target.protocol === 'wss:'
  const raw = wiring.dial(target, isSecure ? 443 : 80)
  const line: Duplex = isSecure ? await secure(raw, target, clientId, options) : raw
  await opened(line as typeof raw, signal ?? new AbortController().signal).catch((error) => {
    raw.destroy()
    throw error
  })
  const address = new URL(target)
  address.protocol = 'ws:'
  const socket = new WebSocket(address, protocol ? [protocol] : [], {
    createConnection: () => line,
    perMessageDeflate: false,
    headers: { 'x-client-id': clientId },
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return { socket, cut: () => raw.resetAndDestroy() }
}
