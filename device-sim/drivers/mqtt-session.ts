// One MQTT connection of the lean drivers, over any stream.
import type { Duplex } from 'node:stream'
import type { Reading, Session } from './driver.ts'
import { decodePublish, disconnect, encodePuback, encodePublish, encodeSubscribe, pingreq, readPackets, type } from './packets.ts'

/** Return codes of CONNACK [MQTT-3.2.2.3]. */
const refusals: Readonly<Record<number, string>> = {
  1: 'it does not speak MQTT 3.1.1',
  2: 'the client id is not allowed',
  3: 'the server is unavailable',
  4: 'bad user name or password',
  5: 'not authorized',
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

export class MqttSession implements Session {
  readonly closed: Promise<void>
  #stream: Duplex | undefined
  #cut: () => void = () => undefined
  #opened: Waiting | undefined
  #onClosed: () => void = () => undefined
  #ended: Error | undefined
  #unsent: Buffer[] = []
  #torn: Uint8Array | undefined
  #onMessage: ((topic: string, payload: Uint8Array) => void) | undefined
  readonly #inFlight = new Map<number, Waiting>()
  #packetId = 0
  /** Quarters of the keep-alive since the last write, and since a ping that nobody answered. */
  #quiet = 0
  #unanswered = 0

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
  }

  /** Takes the stream over, says hello, and resolves when the server has accepted it. */
  open(stream: Duplex, cut: () => void, hello: Buffer): Promise<void> {
    this.#stream = stream
    this.#cut = cut
    stream.on('error', (error) => this.fail(error))
    stream.on('close', () => this.fail(new Error('the connection was closed')))
    if (this.#ended) stream.destroy()
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      this.#opened = { resolve, reject }
      this.#write(hello)
    })
  }

  publish({ topic, payload, qos }: Reading): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended)
    if (qos === 0) {
      this.#write(encodePublish(topic, payload, 0))
      return this.#stream!.writableNeedDrain ? this.#drained() : Promise.resolve()
    }
    const packetId = this.#nextPacketId()
    this.#write(encodePublish(topic, payload, packetId))
    return this.#awaitAnswer(packetId)
  }

  /** One subscription: the next one replaces who is told. */
  subscribe(filter: string, onMessage: (topic: string, payload: Uint8Array) => void): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended)
    this.#onMessage = onMessage
    const packetId = this.#nextPacketId()
    this.#write(encodeSubscribe(filter, packetId))
    return this.#awaitAnswer(packetId)
  }

  async close(): Promise<void> {
    if (!this.#ended) this.#write(disconnect)
    this.#flush()
    this.#stream?.end()
    await this.closed
  }

  cut(): void {
    this.#cut()
    this.fail(new Error('the connection was cut'))
  }

  pause(on: boolean): void {
    if (on) this.#stream?.pause()
    else this.#stream?.resume()
  }

  fail(reason: Error): void {
    if (this.#ended) return
    this.#ended = reason
    this.#stream?.destroy()
    this.#opened?.reject(reason)
    for (const { reject } of this.#inFlight.values()) reject(reason)
    this.#inFlight.clear()
    this.#onClosed()
  }

  /** To be called four times per keep-alive [MQTT-3.1.2-24]. */
  keepAlive(): void {
    if (this.#unanswered && ++this.#unanswered > 4) this.fail(new Error('the server does not answer pings'))
    if (this.#ended || ++this.#quiet < 3) return
    this.#write(pingreq)
    this.#unanswered ||= 1
  }

  receive(bytes: Buffer): void {
    this.#unanswered = 0
    try {
      const torn = readPackets(this.#torn ? Buffer.concat([this.#torn, bytes]) : bytes, (header, body) => this.#onPacket(header, body))
      this.#torn = torn && Buffer.from(torn)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  #onPacket(header: number, body: Uint8Array): void {
    switch (header >> 4) {
      case type.puback:
        this.#answered(body)?.resolve()
        break
      case type.suback: {
        const waiting = this.#answered(body)
        if (body[2]! < 3) waiting?.resolve()
        else waiting?.reject(new Error('the subscription was refused'))
        break
      }
      case type.publish: {
        const { topic, payload, packetId } = decodePublish(header, body)
        if (packetId) this.#write(encodePuback(packetId))
        this.#onMessage?.(topic, payload)
        break
      }
      case type.connack:
        if (body[1] === 0) this.#opened?.resolve()
        else this.fail(new Error(refusals[body[1]!] ?? `connection refused with code ${body[1]}`))
        this.#opened = undefined
        break
    }
  }

  /** Who waits for the packet that this one answers. */
  #answered(body: Uint8Array): Waiting | undefined {
    const packetId = (body[0]! << 8) | body[1]!
    const waiting = this.#inFlight.get(packetId)
    this.#inFlight.delete(packetId)
    return waiting
  }

  #awaitAnswer(packetId: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#inFlight.set(packetId, { resolve, reject })
    })
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
    if (this.#unsent.length === 0 || !this.#stream?.writable) return
    const bytes = this.#unsent.length === 1 ? this.#unsent[0]! : Buffer.concat(this.#unsent)
    this.#unsent = []
    this.#stream.write(bytes)
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream!.once('drain', resolve)
      void this.closed.then(() => reject(this.#ended!))
    })
  }
}
