// Reads the packets of a client, decides which are legal, and offers them to the gateway before aedes. Names what aedes keeps private.
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { AckClient } from './ack-queue.ts'
import { createFrame, type Frame, locatePublish, readHeader } from './frame.ts'
import { createGather } from './gather.ts'
import { guarded } from './guard.ts'
import type { PublishPacket } from './packet.ts'
import type { Version } from './packets/connect.ts'
import { type AckPacket, decode, kindOf, type Packet, type SubscribePacket, type UnsubscribePacket } from './packets/decode.ts'
import { IllegalPacket, protocolError, reasonOf } from './packets/illegal.ts'

/*
   socket ─▶ aedes reads ─▶ parse ─▶ readHeader ─┬─ a usual PUBLISH ───────────────▶ takers.frame
                                                └─ decode ─▶ early │ held ─▶ act ─┬─▶ takers
                                                                                  ├─▶ aedes: CONNECT, PINGREQ, DISCONNECT, other PUBLISH
                                                                                  └─▶ takers.illegal: the connection ends
*/

/** An aedes client, as far as the tap must know it. Checked when a connection is tapped: another version may differ. */
export interface TapClient extends AckClient {
  readonly connected: boolean
  /** Until then no packet is acted upon. */
  readonly connackSent: boolean
  /** Undefined before CONNECT. */
  readonly version: number | null
  readonly _parser: Parser
  /** Absent or 0: the client asked for no keep alive. */
  readonly _keepaliveInterval: number
  readonly _keepaliveTimer: { refresh(): unknown } | null
  once(event: 'connected', listener: () => void): unknown
  emit(event: 'error', error: Error): unknown
}

/** The parser of mqtt-packet. Aedes gives it every byte, and listens to it for `packet`. It never gets a byte here. */
export interface Parser extends EventEmitter {
  parse(bytes: Buffer): unknown
}

export interface Tap {
  /** true: packets wait, for one that was taken and is not done with, or for aedes, which is not ready yet. */
  isHolding(): boolean
  /** Gives a packet to aedes, as if there were no tap. */
  handOver(packet: PublishPacket): void
  /** Drops all further bytes, so that the connection can end without a reset. Calls back when no earlier packet waits. */
  finish(done: () => void): void
}

/** A PUBLISH may be handed back. Packets after one with a promise wait until it resolves; it must not reject. */
export interface Takers {
  publish(packet: PublishPacket): boolean
  /** The same for a PUBLISH that has not been decoded. */
  frame(bytes: Buffer, frame: Frame): boolean
  subscribe(packet: SubscribePacket): Promise<void> | undefined
  unsubscribe(packet: UnsubscribePacket): Promise<void> | undefined
  ack(packet: AckPacket): void
  /** Must close the connection: nothing more is read from it. */
  illegal(error: IllegalPacket): void
}

export interface TapOptions {
  /** Larger packets are illegal. */
  readonly maxPacketBytes: number
  readonly takers: Takers
  /** Called when packets waited and wait no more. */
  readonly onReleased: () => void
  /** Called for an error that is not the client's. */
  readonly onError: (error: unknown) => void
}

/** Packets a client may send before it has its CONNACK. */
const maxEarly = 42

export function tap(client: TapClient, { maxPacketBytes, takers, onReleased, onError }: TapOptions): Tap {
  const { _parser: parser } = client
  const [listener, ...more] = parser.listeners('packet')
  if (!listener || more.length > 0 || client._keepaliveInterval === undefined) throw new Error('this version of aedes cannot be tapped')
  const frame = createFrame()
  const gather = createGather()
  /** Of the CONNECT, which aedes acts upon later. */
  let version: Version | undefined
  let persists = false
  let early: (Packet | IllegalPacket)[] | undefined
  let holding = false
  let held: (Packet | IllegalPacket)[] = []
  /** A DISCONNECT and an illegal packet are the last ones that are read; those before them still take effect first. */
  let ended = false
  let onFinished: (() => void) | undefined

  const handOver = (packet: Packet) => guarded(onError, () => void listener.call(parser, packet))

  const take = (packet: Packet): boolean | Promise<void> => {
    switch (packet.cmd) {
      case 'publish':
        return takers.publish(packet)
      case 'subscribe':
        return takers.subscribe(packet) ?? true
      case 'unsubscribe':
        return takers.unsubscribe(packet) ?? true
      case 'puback':
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        takers.ack(packet)
        return true
      default:
        return false
    }
  }

  /** After a DISCONNECT was sent, no packet counts any more [MQTT-3.14.4-1]. */
  const isGone = () => client.closed || client.disconnectReasonCode !== null

  const act = (packet: Packet | IllegalPacket) => {
    if (isGone()) return
    if (holding) return void held.push(packet)
    if (packet instanceof IllegalPacket) return takers.illegal(packet)
    const taken = take(packet)
    if (taken === false) return handOver(packet)
    keepAlive(client)
    if (taken === true) return
    holding = true
    taken.then(release).catch(onError)
  }

  const release = () => {
    holding = false
    const waiting = held
    held = []
    for (const packet of waiting) act(packet)
    if (holding) return
    onReleased()
    onFinished?.()
  }

  const receive = (packet: Packet | IllegalPacket) => {
    if ('cmd' in packet && packet.cmd === 'connect') {
      version = packet.protocolVersion
      persists = ((packet.properties?.sessionExpiryInterval as number | undefined) ?? 0) > 0
      return handOver(packet)
    }
    if (client.connackSent && client.connected && !early) return act(packet)
    if (packet instanceof IllegalPacket && version === undefined) return takers.illegal(packet)
    early ??= []
    if (early.push(packet) > maxEarly && !client.connackSent) client.emit('error', new Error('too many packets before CONNACK'))
  }

  const decoded = (bytes: Buffer, at: number): Packet => {
    const packet = decode(bytes, at, frame.start, frame.end, version)
    if (packet.cmd === 'disconnect' && !persists && packet.properties?.sessionExpiryInterval) {
      throw protocolError('DISCONNECT makes a session persistent that was not [MQTT5-3.14.2.2.2]')
    }
    return packet
  }

  const isUsual = (bytes: Buffer, at: number): boolean =>
    client.connackSent && client.connected && !early && !holding && locatePublish(bytes, at, version!, frame) && takers.frame(bytes, frame)

  const readAll = (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; at = frame.end) {
      if (ended || isGone()) return
      const whole = readHeader(bytes, at, frame)
      if (frame.end - at > maxPacketBytes) throw tooLarge(frame.end - at, maxPacketBytes)
      if (!whole || frame.end > bytes.length) {
        kindOf(bytes[at]!, version)
        return gather.begin(bytes.subarray(at), frame.end - at)
      }
      if (isUsual(bytes, at)) {
        keepAlive(client)
        continue
      }
      const packet = decoded(bytes, at)
      receive(packet)
      ended = packet.cmd === 'disconnect' // [MQTT-3.14.4-1]
    }
  }

  parser.parse = (read) => {
    const bytes = gather.add(read)
    if (!bytes) return
    try {
      readAll(bytes)
    } catch (error) {
      if (!(error instanceof IllegalPacket)) throw error
      ended = true
      receive(error)
    }
  }

  client.once('connected', () => {
    const waiting = early ?? []
    early = undefined
    for (const packet of waiting) act(packet)
    if (waiting.length > 0 && !holding) onReleased()
  })

  return {
    isHolding: () => !onFinished && (holding || ended || early !== undefined),
    handOver(packet) {
      if (!client.closed) handOver(packet)
    },
    finish(done) {
      onFinished = done
      parser.parse = () => undefined
      if (!holding) done()
      onReleased()
    },
  }
}

const tooLarge = (bytes: number, limit: number) =>
  new IllegalPacket(reasonOf.tooLarge, `a packet has ${bytes} bytes, and ${limit} are allowed [MQTT-3.2.2-15]`)

/** Any packet shows that the device is there [MQTT-3.1.2-24]; and so do packets that wait because nobody reads them. */
export function keepAlive({ _keepaliveInterval, _keepaliveTimer }: TapClient): void {
  if (_keepaliveInterval > 0) _keepaliveTimer?.refresh()
}

/**
 * While `closed` says so, nothing is read from the stream; `open` goes on. What has been read is parsed to its end, so at most one
 * read (64 KiB of a socket) is taken beyond. TCP tells the device to wait.
 */
export function gate(stream: Duplex, closed: () => boolean): { open(): void } {
  const read = stream.read.bind(stream)
  stream.read = (size?: number) => (size !== 0 && closed() ? null : read(size))
  return { open: () => void stream.emit('readable') }
}
