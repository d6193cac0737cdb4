// The tap: takes a client's packets before aedes sees them. What aedes keeps private and this needs is named here.
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { createFrame, type Frame, readFrame } from './frame.ts'
import { createGather, nothing } from './gather.ts'
import type { LineClient } from './line.ts'
import type { PublishPacket } from './packet.ts'

/** An aedes client, as far as the tap must know it. Checked when a connection is tapped: another version may differ. */
export interface TapClient extends LineClient {
  readonly connected: boolean
  /** Until then no packet is acted upon. */
  readonly connackSent: boolean
  /** Undefined before CONNECT. */
  readonly version: number | null
  /** Emits `packet`, for aedes alone to hear. */
  readonly _parser: Parser
  /** Absent or 0: the client asked for no keep alive. */
  readonly _keepaliveInterval: number
  readonly _keepaliveTimer: { refresh(): unknown } | null
  once(event: 'connected', listener: () => void): unknown
  emit(event: 'error', error: Error): unknown
}

/** mqtt-packet's. */
export interface Parser extends EventEmitter {
  parse(bytes: Buffer): unknown
  /** Not null after a fault, until it is given more. */
  readonly error: Error | null
  /** What it was given and has not taken apart. */
  readonly _list: { readonly length: number }
  /** 0: the next byte begins a packet. 2: the fixed header has been read, and `packet.length` says what follows. */
  readonly _stateCounter: number
  readonly packet: { readonly length: number }
}

export interface Tap {
  /** true: packets wait, for one that was taken and is not done with, or for aedes, which is not ready yet. */
  isHolding(): boolean
  /** Gives a packet to aedes, as if there were no tap. */
  handOver(packet: PublishPacket): void
}

export interface SubscribePacket {
  readonly cmd: 'subscribe'
  readonly messageId: number
  readonly subscriptions: readonly {
    readonly topic: string
    readonly qos: number
    /** MQTT 5: no local, retain as published, retain handling. */
    readonly nl?: boolean
    readonly rap?: boolean
    readonly rh?: number
  }[]
  readonly properties?: { readonly subscriptionIdentifier?: unknown }
}

export interface UnsubscribePacket {
  readonly cmd: 'unsubscribe'
  readonly messageId: number
  readonly unsubscriptions: readonly string[]
}

/** What is taken. A PUBLISH may be handed back; packets behind a promise wait until it resolves, and it must not reject. */
export interface Takers {
  publish(packet: PublishPacket): boolean
  /** The same for one that has not been taken apart. */
  frame(bytes: Buffer, frame: Frame): boolean
  subscribe(packet: SubscribePacket): Promise<void> | undefined
  unsubscribe(packet: UnsubscribePacket): Promise<void> | undefined
  puback(packet: { readonly messageId: number }): void
}

type TappedPacket =
  | PublishPacket
  | SubscribePacket
  | UnsubscribePacket
  | { readonly cmd: 'puback'; readonly messageId: number }
  | { readonly cmd: 'connect' | 'disconnect' }

/** The parser looks through all the pieces it holds when it takes them apart, so it is not given smaller ones while more is to come. */
const pieceBytes = 16 * 1024

/** Packets a client may send before it has its CONNACK. Those behind it wait for a moment, and nothing is read meanwhile. */
const maxEarly = 42

/** Offers the takers the packets of a connected client; those they do not take, and all other kinds, go to aedes. */
export function tap(client: TapClient, takers: Takers, onReleased: () => void): Tap {
  const { _parser: parser } = client
  const [listener, ...more] = parser.listeners('packet')
  if (!listener || more.length > 0 || client._keepaliveInterval === undefined || parser._stateCounter !== 0)
    throw new Error('this version of aedes cannot be tapped')
  const handOver = (packet: { readonly cmd: string }) => {
    listener.call(parser, packet)
  }
  const take = (packet: TappedPacket): boolean | Promise<void> => {
    if (packet.cmd === 'publish') return takers.publish(packet)
    if (packet.cmd === 'subscribe') return takers.subscribe(packet) ?? true
    if (packet.cmd === 'unsubscribe') return takers.unsubscribe(packet) ?? true
    if (packet.cmd !== 'puback') return false
    takers.puback(packet)
    return true
  }
  let holding = false
  let held: TappedPacket[] = []
  const act = (packet: TappedPacket) => {
    if (client.closed) return
    if (holding) {
      held.push(packet)
      return
    }
    const taken = take(packet)
    if (taken === false) return handOver(packet)
    keepAlive(client)
    if (taken === true) return
    holding = true
    taken.then(release)
  }
  const release = () => {
    holding = false
    const waiting = held
    held = []
    for (const packet of waiting) act(packet)
    if (!holding) onReleased()
  }
  const parse = parser.parse.bind(parser)
  const frame = createFrame()
  const gather = createGather()
  const isBetweenPackets = () => parser._stateCounter === 0 && parser._list.length === 0 && !parser.error
  const isOpen = () => client.connackSent && client.connected && !early && !holding && !client.closed && isBetweenPackets()
  /** Whole packets are given to the parser one by one, so that between them there is always a chance for the short way. */
  parser.parse = (read) => {
    const bytes = gather.add(read)
    if (!bytes) return
    let at = 0
    while (at < bytes.length && isOpen()) {
      const found = readFrame(bytes, at, client.version ?? 4, frame)
      if (found === 'unclear') break
      if (found === 'short') return gather.begin(bytes.subarray(at), frame.end - at)
      const { end } = frame
      if (found === 'publish' && takers.frame(bytes, frame)) keepAlive(client)
      else parse(bytes.subarray(at, end))
      at = end
    }
    if (at === bytes.length) return
    parse(bytes.subarray(at))
    if (parser._stateCounter === 2 && !parser.error) gather.begin(nothing, Math.min(parser.packet.length - parser._list.length, pieceBytes))
  }
  let connecting = false
  let early: TappedPacket[] | undefined
  parser.removeListener('packet', listener as () => void)
  parser.on('packet', (packet: TappedPacket) => {
    if (client.connackSent && client.connected && !early) return act(packet)
    // The first packet, whatever it is, and a second CONNECT are for aedes to judge [MQTT-3.1.0-1] [MQTT-3.1.0-2].
    if (!connecting || packet.cmd === 'connect') {
      connecting = true
      return handOver(packet)
    }
    early ??= []
    if (early.push(packet) > maxEarly && !client.connackSent) client.emit('error', new Error('too many packets before CONNACK'))
  })
  client.once('connected', () => {
    const waiting = early ?? []
    early = undefined
    for (const packet of waiting) act(packet)
    if (waiting.length > 0 && !holding) onReleased()
  })
  return {
    isHolding: () => holding || early !== undefined,
    handOver(packet) {
      if (!client.closed) handOver(packet)
    },
  }
}

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
