// The lean MQTT driver: bare sockets and bytes, for ten thousand devices in one process.
import { connect as connectTcp, type Socket } from 'node:net'
import type { Driver, DriverKind, DriverOptions, Reading, Session, Wire } from './driver.ts'
import { disconnect, encodeConnect, encodePublish, pingreq, readPackets, type } from './packets.ts'

/** Return codes of CONNACK [MQTT-3.2.2.3]. */
const refusals: Readonly<Record<number, string>> = {
  1: 'it does not speak MQTT 3.1.1',
  2: 'the client id is not allowed',
  3: 'the server is unavailable',
  4: 'bad user name or password',
  5: 'not authorized',
}

export const mqtt = {
  summary: 'MQTT 3.1.1 over TCP on bare sockets: the least memory and CPU per device.',
  target: 'mqtt://127.0.0.1:1883',
  create: createMqttDriver,
} satisfies DriverKind

function createMqttDriver({ target, keepAliveMs, clock }: DriverOptions): Driver {
  const wire = { sent: 0, received: 0 }
  const sessions = new Set<MqttSession>()
  const stopKeepAlive = clock.every(keepAliveMs / 4, () => {
    for (const session of sessions) session.keepAlive()
  })
  return {
    wire,
    async connect(clientId, signal) {
      signal.throwIfAborted()
      const session = new MqttSession(wire)
      const onAbort = () => session.fail(new Error('timed out'))
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        await session.open(target, encodeConnect(clientId, keepAliveMs))
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
      sessions.add(session)
      void session.closed.then(() => sessions.delete(session))
      return session
    },
    stop: stopKeepAlive,
  }
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/** One buffer for all sockets: `onread` hands it out, and a packet is either dealt with at once or its torn rest copied. */
const readBuffer = Buffer.allocUnsafe(65_536)

class MqttSession implements Session {
  readonly closed: Promise<void>
  readonly #wire: Wire
  #socket: Socket | undefined
  #opened: Waiting | undefined
  #onClosed: () => void = () => undefined
  #ended: Error | undefined
  #unsent: Buffer[] = []
  #torn: Uint8Array | undefined
  readonly #inFlight = new Map<number, Waiting>()
  #packetId = 0
  /** Quarters of the keep-alive since the last write, and since a ping that nobody answered. */
  #quiet = 0
  #unanswered = 0

  constructor(wire: Wire) {
    this.#wire = wire
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
  }

  open(target: URL, hello: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject }
      const onread = { buffer: readBuffer, callback: (size: number) => this.#receive(readBuffer.subarray(0, size)) }
      const socket = connectTcp({ host: target.hostname.replace(/^\[|\]$/g, ''), port: Number(target.port || 1883), noDelay: true, onread })
      socket.on('error', (error) => this.fail(error))
      socket.on('close', () => this.fail(new Error('the connection was closed')))
      this.#socket = socket
      this.#write(hello)
    })
  }

  publish({ topic, payload, qos }: Reading): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended)
    if (qos === 0) {
      this.#write(encodePublish(topic, payload, 0))
      return this.#socket!.writableNeedDrain ? new Promise((resolve) => this.#socket!.once('drain', resolve)) : Promise.resolve()
    }
    const packetId = this.#nextPacketId()
    this.#write(encodePublish(topic, payload, packetId))
    return new Promise((resolve, reject) => {
      this.#inFlight.set(packetId, { resolve, reject })
    })
  }

  async close(): Promise<void> {
    if (!this.#ended) this.#write(disconnect)
    this.#flush()
    this.#socket?.end()
    await this.closed
  }

  cut(): void {
    this.#socket?.resetAndDestroy()
  }

  pause(on: boolean): void {
    if (on) this.#socket?.pause()
    else this.#socket?.resume()
  }

  fail(reason: Error): void {
    if (this.#ended) return
    this.#ended = reason
    this.#socket?.destroy()
    this.#opened?.reject(reason)
    for (const { reject } of this.#inFlight.values()) reject(reason)
    this.#inFlight.clear()
    this.#onClosed()
  }

  /** Called four times per keep-alive [MQTT-3.1.2-24]. */
  keepAlive(): void {
    if (this.#unanswered && ++this.#unanswered > 4) this.fail(new Error('the server does not answer pings'))
    if (this.#ended || ++this.#quiet < 3) return
    this.#write(pingreq)
    this.#unanswered ||= 1
  }

  #nextPacketId(): number {
    do this.#packetId = (this.#packetId % 65_535) + 1
    while (this.#inFlight.has(this.#packetId))
    return this.#packetId
  }

  /** What one turn of the event loop writes leaves in one system call. */
  #write(packet: Buffer): void {
    this.#quiet = 0
    if (this.#unsent.push(packet) === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    if (this.#unsent.length === 0) return
    const bytes = this.#unsent.length === 1 ? this.#unsent[0]! : Buffer.concat(this.#unsent)
    this.#unsent = []
    this.#wire.sent += bytes.length
    this.#socket?.write(bytes)
  }

  #receive(bytes: Buffer): boolean {
    this.#wire.received += bytes.length
    this.#unanswered = 0
    try {
      const torn = readPackets(this.#torn ? Buffer.concat([this.#torn, bytes]) : bytes, (header, body) => this.#onPacket(header, body))
      this.#torn = torn && Buffer.from(torn)
    } catch (error) {
      this.fail(error as Error)
    }
    return true
  }

  #onPacket(header: number, body: Uint8Array): void {
    switch (header >> 4) {
      case type.puback: {
        const packetId = (body[0]! << 8) | body[1]!
        this.#inFlight.get(packetId)?.resolve()
        this.#inFlight.delete(packetId)
        break
      }
      case type.connack:
        if (body[1] === 0) this.#opened?.resolve()
        else this.fail(new Error(refusals[body[1]!] ?? `connection refused with code ${body[1]}`))
        this.#opened = undefined
        break
    }
  }
}
