// The read loop: finds the packets of a client, checks that they are legal, and calls a handler for each.
import type { Duplex } from 'node:stream'
import type { AedesConnection } from './aedes.ts'
import { createFrame, type Frame, locatePublish, readHeader } from './frame.ts'
import { createGather } from './gather.ts'
import { guarded } from './guard.ts'
import type { PublishPacket } from './packet.ts'
import type { Version } from './packets/connect.ts'
import { type AckPacket, decode, kindOf, type Packet, type SubscribePacket, type UnsubscribePacket } from './packets/decode.ts'
import { IllegalPacket, protocolError, reasonOf } from './packets/illegal.ts'
import { TopicAliases } from './topic-aliases.ts'

/*
   socket ─▶ aedes reads ─▶ readHeader ─┬─ usual PUBLISH on a known topic ─▶ handlers.frame
                                       └─ decode ─▶ early │ held ─▶ act ─┬─▶ handlers
                                                                         ├─▶ aedes: CONNECT, PINGREQ, DISCONNECT
                                                                         └─▶ handlers.illegal: the connection ends
*/

/** The part of a connection that the read loop needs. */
export type ReadClient = Pick<
  AedesConnection,
  'closed' | 'connackSent' | 'connected' | 'disconnectReasonCode' | 'fail' | 'handle' | 'onceConnected' | 'readWith' | 'touch'
>

/** Packets after one whose handler returns a promise wait until it resolves. The promise must not reject. */
export interface PacketHandlers {
  publish(packet: PublishPacket): void
  /** The same for a PUBLISH that is not decoded. false: decode it and call `publish`. */
  frame(bytes: Buffer, frame: Frame): boolean
  subscribe(packet: SubscribePacket): Promise<void> | undefined
  unsubscribe(packet: UnsubscribePacket): Promise<void> | undefined
  ack(packet: AckPacket): void
  /** Must close the connection: nothing more is read from it. */
  illegal(error: IllegalPacket): void
}

export interface ReadLoopOptions {
  /** Larger packets are illegal. */
  readonly maxPacketBytes: number
  /** The highest topic alias that CONNACK allows. */
  readonly maxTopicAlias: number
  readonly handlers: PacketHandlers
  /** Called when packets waited and wait no more. */
  readonly onReleased: () => void
  /** Called for an error that is not the client's. */
  readonly onError: (error: unknown) => void
}

/** Packets that a client may send before it has its CONNACK. */
const maxEarly = 42

export class ReadLoop {
  readonly #client: ReadClient
  readonly #options: ReadLoopOptions
  readonly #frame = createFrame()
  readonly #gather = createGather()
  readonly #aliases: TopicAliases
  /** The version of CONNECT, which aedes acts on later. */
  #version: Version | undefined
  #persists = false
  /** Packets that came before aedes had sent CONNACK. */
  #early: Received[] | undefined
  /** Packets that came after one whose handler has not finished. */
  #held: Received[] = []
  #holding = false
  /** A DISCONNECT and an illegal packet are the last ones that are read. Packets before them take effect first. */
  #ended = false
  #onFinished: (() => void) | undefined

  constructor(client: ReadClient, options: ReadLoopOptions) {
    this.#client = client
    this.#options = options
    this.#aliases = new TopicAliases(options.maxTopicAlias)
    client.readWith((bytes) => this.#read(bytes))
    client.onceConnected(() => this.#actOnEarly())
  }

  /** true: packets wait until aedes has sent CONNACK, or until an earlier SUBSCRIBE is on disk. */
  isWaiting(): boolean {
    return !this.#onFinished && (this.#holding || this.#ended || this.#early !== undefined)
  }

  /** Drops all further bytes, so that the connection can end without a reset. Calls back when no earlier packet waits. */
  finish(done: () => void): void {
    this.#onFinished = done
    this.#client.readWith(() => undefined)
    if (!this.#holding) done()
    this.#options.onReleased()
  }

  #read(read: Buffer): void {
    const bytes = this.#gather.add(read)
    if (!bytes) return
    try {
      this.#readPackets(bytes)
    } catch (error) {
      if (!(error instanceof IllegalPacket)) throw error
      this.#ended = true
      this.#receive(error)
    }
  }

  #readPackets(bytes: Buffer): void {
    const frame = this.#frame
    const { maxPacketBytes } = this.#options
    for (let at = 0; at < bytes.length; at = frame.end) {
      if (this.#ended || this.#isGone()) return
      const whole = readHeader(bytes, at, frame)
      if (frame.end - at > maxPacketBytes) throw tooLarge(frame.end - at, maxPacketBytes)
      if (!whole || frame.end > bytes.length) {
        kindOf(bytes[at]!, this.#version)
        return void this.#gather.begin(bytes.subarray(at), frame.end - at)
      }
      if (this.#takeFrame(bytes, at)) continue
      const packet = this.#decode(bytes, at)
      this.#receive(packet)
      this.#ended = packet.cmd === 'disconnect' // [MQTT-3.14.4-1]
    }
  }

  /** After a DISCONNECT was sent, no packet counts any more [MQTT-3.14.4-1]. */
  #isGone(): boolean {
    return this.#client.closed || this.#client.disconnectReasonCode !== null
  }

  #isOpen(): boolean {
    return this.#client.connackSent && this.#client.connected && !this.#early
  }

  /** A usual PUBLISH on a topic that is known needs no decoding. */
  #takeFrame(bytes: Buffer, at: number): boolean {
    if (!this.#isOpen() || this.#holding || !locatePublish(bytes, at, this.#version!, this.#frame)) return false
    if (!this.#options.handlers.frame(bytes, this.#frame)) return false
    this.#client.touch()
    return true
  }

  #decode(bytes: Buffer, at: number): Packet {
    const packet = decode(bytes, at, this.#frame.start, this.#frame.end, this.#version)
    if (packet.cmd === 'publish') return this.#aliases.resolve(packet)
    if (packet.cmd === 'disconnect' && !this.#persists && packet.properties?.sessionExpiryInterval) {
      throw protocolError('DISCONNECT makes a session persistent that was not [MQTT5-3.14.2.2.2]')
    }
    return packet
  }

  #receive(packet: Received): void {
    if ('cmd' in packet && packet.cmd === 'connect') {
      this.#version = packet.protocolVersion
      this.#persists = ((packet.properties?.sessionExpiryInterval as number | undefined) ?? 0) > 0
      return void this.#handOver(packet)
    }
    if (this.#isOpen()) return void this.#act(packet)
    if (packet instanceof IllegalPacket && this.#version === undefined) return void this.#options.handlers.illegal(packet)
    this.#early ??= []
    if (this.#early.push(packet) > maxEarly && !this.#client.connackSent) {
      this.#client.fail(new Error('too many packets before CONNACK'))
    }
  }

  #actOnEarly(): void {
    const waiting = this.#early ?? []
    this.#early = undefined
    for (const packet of waiting) this.#act(packet)
    if (waiting.length > 0 && !this.#holding) this.#options.onReleased()
  }

  #act(packet: Received): void {
    if (this.#isGone()) return
    if (this.#holding) return void this.#held.push(packet)
    if (packet instanceof IllegalPacket) return void this.#options.handlers.illegal(packet)
    const busy = this.#handle(packet)
    this.#client.touch()
    if (!busy) return
    this.#holding = true
    busy.then(() => this.#release()).catch(this.#options.onError)
  }

  #handle(packet: Packet): Promise<void> | undefined {
    const { handlers } = this.#options
    switch (packet.cmd) {
      case 'publish':
        handlers.publish(packet)
        return undefined
      case 'subscribe':
        return handlers.subscribe(packet)
      case 'unsubscribe':
        return handlers.unsubscribe(packet)
      case 'puback':
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        handlers.ack(packet)
        return undefined
      default:
        this.#handOver(packet)
        return undefined
    }
  }

  #handOver(packet: Packet): void {
    guarded(this.#options.onError, () => this.#client.handle(packet))
  }

  #release(): void {
    this.#holding = false
    const waiting = this.#held
    this.#held = []
    for (const packet of waiting) this.#act(packet)
    if (this.#holding) return
    this.#options.onReleased()
    this.#onFinished?.()
  }
}

/** A packet, or the error of a packet that is illegal. */
type Received = Packet | IllegalPacket

const tooLarge = (bytes: number, limit: number) =>
  new IllegalPacket(reasonOf.tooLarge, `a packet has ${bytes} bytes, and ${limit} are allowed [MQTT-3.2.2-15]`)

/**
 * Stops reading the stream while `isPaused` returns true. `resume` goes on. Bytes that were read are
 * parsed to their end, so at most one read (64 KiB of a socket) is handled beyond. TCP slows the client down.
 */
export function withBackPressure(stream: Duplex, isPaused: () => boolean): { resume(): void } {
  const read = stream.read.bind(stream)
  stream.read = (size?: number) => (size !== 0 && isPaused() ? null : read(size))
  return { resume: () => void stream.emit('readable') }
}
