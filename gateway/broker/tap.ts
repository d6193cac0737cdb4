// The early tap: takes a PUBLISH out of a client's packets before aedes sees it. What aedes keeps private and this needs is named here.
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { LineClient } from './line.ts'
import type { PublishPacket } from './packet.ts'

/** An aedes client, as far as the tap must know it. Checked when a connection is tapped: another version may differ. */
export interface TapClient extends LineClient {
  readonly connected: boolean
  /** Until then aedes queues packets, and none may overtake them. */
  readonly connackSent: boolean
  /** Emits `packet`, for aedes alone to hear. */
  readonly _parser: EventEmitter
  /** Absent or 0: the client asked for no keep alive. */
  readonly _keepaliveInterval: number
  readonly _keepaliveTimer: { refresh(): unknown } | null
}

export interface Tap {
  /** Gives a packet to aedes, as if there were no tap. */
  handOver(packet: PublishPacket): void
}

/** A SUBSCRIBE, as far as anybody but aedes must know it. */
export interface SubscribePacket {
  readonly cmd: 'subscribe'
  readonly subscriptions: readonly { readonly topic: string; readonly qos: number }[]
}

/** Offers `take` every PUBLISH of a connected client; those it does not take, and all else, go to aedes. `see` is shown every SUBSCRIBE first. */
export function tap(client: TapClient, take: (packet: PublishPacket) => boolean, see: (packet: SubscribePacket) => void): Tap {
  const { _parser: parser } = client
  const [listener, ...more] = parser.listeners('packet')
  if (!listener || more.length > 0 || client._keepaliveInterval === undefined) throw new Error('this version of aedes cannot be tapped')
  const handOver = (packet: { readonly cmd: string }) => {
    listener.call(parser, packet)
  }
  parser.removeListener('packet', listener as () => void)
  parser.on('packet', (packet: PublishPacket | SubscribePacket | { readonly cmd: '' }) => {
    if (packet.cmd === 'subscribe') see(packet)
    const mayTake = packet.cmd === 'publish' && client.connackSent && client.connected && !client.closed
    if (!mayTake || !take(packet)) return handOver(packet)
    keepAlive(client)
  })
  return {
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
