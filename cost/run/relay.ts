// A TLS relay in front of a TLS door: devices speak to it as to the door, and on the way everything is counted in plain sight.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { Clock } from '../../lib/clock.ts'
import type { Bytes } from '../wire.ts'
import { createTally, type Tally } from './tally.ts'
import type { Decode, Direction, Role } from './unit.ts'

/*
    device ──TLS 1.3──▶ relay ──TLS 1.3──▶ door of the gateway
            counted       │ the device's own certificate goes on to the door
                          └ plain bytes: packets, frames, requests
*/
export interface RelayOptions {
  /** As `weir certs mint` wrote it: the relay is the server to devices, and each device to the door. */
  readonly certs: string
  readonly door: number
  readonly decode: Decode
  readonly clock: Pick<Clock, 'monotonic'>
}

export interface Relay {
  readonly port: number
  readonly tally: Tally
  /** Of the connections that stand. */
  ciphertext(): Bytes
  /** As the last handshake agreed, such as `TLSv1.3`. */
  readonly tls: string | undefined
  /** What could not be read; the bytes went on all the same. */
  readonly problems: readonly string[]
  /** Resolves when every connection that was opened has ended. */
  idle(): Promise<void>
  stop(): Promise<void>
}

const host = '127.0.0.1'

export async function startRelay({ certs, door, decode, clock }: RelayOptions): Promise<Relay> {
  const read = (name: string) => readFile(join(certs, name), 'utf8')
  const [cert, key, ca] = await Promise.all(['server.pem', 'server.key', 'ca.pem'].map(read))
  const tally = createTally()
  const problems: string[] = []
  const open = new Map<number | undefined, Socket>()
  const waiting: (() => void)[] = []
  let tls: string | undefined

  // The same settings as the gateway's own doors, so that the handshake is theirs.
  const server = createServer({ cert, key, ca, minVersion: 'TLSv1.2', requestCert: true, rejectUnauthorized: false, noDelay: true })
  server.on('connection', (raw: Socket) => {
    const since = clock.monotonic()
    open.set(raw.remotePort, raw)
    const port = raw.remotePort
    raw.once('close', () => {
      open.delete(port)
      tally.connection({ up: raw.bytesRead, down: raw.bytesWritten }, clock.monotonic() - since)
      if (open.size === 0) for (const resolve of waiting.splice(0)) resolve()
    })
  })
  server.on('tlsClientError', (error) => problems.push(error.message))
  server.on('secureConnection', (device) => {
    onward(device).catch((error: Error) => {
      problems.push(error.message)
      device.destroy()
    })
  })

  const onward = async (device: TLSSocket) => {
    device.on('error', () => device.destroy())
    tls = device.getProtocol() ?? tls
    const name = device.getPeerCertificate().subject?.CN ?? (await saidName(device))
    const own = { cert: await read(`devices/${name}.pem`), key: await read(`devices/${name}.key`) }
    const gateway = connect({ host, port: door, servername: 'localhost', ca, ...own }).setNoDelay(true)
    gateway.on('error', () => device.destroy())
    device.once('close', () => gateway.destroySoon())
    tap(device, gateway)
    device.pipe(gateway).pipe(device)
  }

  const tap = (device: TLSSocket, gateway: TLSSocket) => {
    let last: Role = 'session'
    const decoder = decode((unit) => {
      last = unit.role
      tally.unit(unit)
    })
    const hear = (direction: Direction) => (chunk: Buffer) => {
      try {
        decoder[direction](chunk)
      } catch (error) {
        problems.push((error as Error).message)
      }
      tally.record(direction, last)
    }
    device.on('data', hear('up'))
    gateway.on('data', hear('down'))
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    tally,
    problems,
    get tls() {
      return tls
    },
    ciphertext: () =>
      [...open.values()].reduce((sum, raw) => ({ up: sum.up + raw.bytesRead, down: sum.down + raw.bytesWritten }), { up: 0, down: 0 }),
    idle: () => new Promise((resolve) => (open.size === 0 ? resolve() : waiting.push(resolve))),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const raw of open.values()) raw.destroy()
      }),
  }
}

/** A device without a certificate says who it is in its request for a WebSocket; what was read is put back. */
async function saidName(device: TLSSocket): Promise<string | undefined> {
  await once(device, 'readable')
  const chunk: Buffer = device.read()
  device.unshift(chunk)
  return /^x-client-id: *(\S+)/im.exec(chunk.toString('latin1'))?.[1]
}
