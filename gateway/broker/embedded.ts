// The broker inside the gateway: aedes, told to acknowledge only what is safely ours. The only file that imports it.
import type { Duplex } from 'node:stream'
import { Aedes, type AedesPublishPacket, type Client } from 'aedes'
import type { Clock } from '../../lib/clock.ts'
import type { Access } from '../access/access.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Source } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Broker, Ingest, Peer } from './broker.ts'
import { createInlet, type Inlet } from './inlet.ts'
import { type PublishPacket, toPacket } from './packet.ts'
import { createSubscriptions, type LiveSubscriptions, type StoredSubscriptions, watchLive, watchStored } from './subscriptions.ts'
import { gate, keepAlive, type TapClient, tap } from './tap.ts'

export interface EmbeddedBrokerOptions {
  readonly ingest: Ingest
  readonly access: Access
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Largest packet that is read at all; 146 KB on AWS IoT Core. */
  readonly maxPacketBytes?: number
}

/** A subscriber with more than this unread is closed: one that does not read must not hold the others. */
const maxUnreadBytes = 1024 * 1024
const connectTimeoutMs = 10_000
const drainTimeoutMs = 2_000

/** MQTT 5 reason codes this gateway sends by itself [MQTT5-2.4]. */
const reasons = { serverBusy: 0x89, qosNotSupported: 0x9b } as const

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { ingest, access, observe, clock, maxPacketBytes = 149_504 } = options
  const subscriptions = createSubscriptions()
  const peers = new WeakMap<Duplex, Peer>()
  const sources = new WeakMap<Client, Source>()
  /** Also of those that have left: their wills come last. */
  const inlets = new WeakMap<Client, Inlet>()
  const connected = new Set<Client>()
  /** Packets taken early that came to nothing: aedes gets them after all, to answer them. */
  const refused = new WeakMap<object, { readonly error: unknown }>()
  let stopWatch = () => {}

  const sourceOf = (client: Client) => {
    const known = sources.get(client)
    if (known) return known
    const peer = peers.get(client.conn)
    const source: Source = {
      clientId: client.id,
      transport: peer?.transport ?? 'mqtt',
      ...(peer?.certificate === undefined ? {} : { principal: peer.certificate }),
      ...(peer?.sourceIp === undefined ? {} : { sourceIp: peer.sourceIp }),
    }
    sources.set(client, source)
    return source
  }

  // A hook that throws or rejects would end the process, so every path of it ends in its callback.
  const broker = new Aedes({
    // mqemitter with a limit stops every delivery behind one subscriber that does not read.
    concurrency: 0,
    drainTimeout: drainTimeoutMs,
    connectTimeout: connectTimeoutMs,
    maxClientsIdLength: 128,
    maximumPacketSize: maxPacketBytes,
    topicAliasMaximum: 8,
    receiveMaximum: 100,
    authorizePublish(client, packet, done) {
      if (!client) return done(null)
      const early = refused.get(packet)
      if (early) return refuse(client, packet, early.error, done)
      inlets.get(client)!.authorize(packet, (error) => (error === undefined ? done(null) : refuse(client, packet, error, done)))
    },
    authorizeSubscribe(client, subscription, done) {
      try {
        access.subscribe(sourceOf(client), subscription.topic)
        done(null, subscription)
      } catch (error) {
        observe.record('client.failed', { code: codeOf(error, 'NOT_AUTHORIZED'), clientId: client.id, detail: textOf(error) })
        done(null, null) // SUBACK 0x80 [MQTT-3.9.3-2]
      }
    },
    authorizeForward(client, packet) {
      if (client.conn.writableLength <= maxUnreadBytes) return packet
      observe.record('client.dropped', { clientId: client.id, bytes: client.conn.writableLength })
      client.conn.destroy()
      return null
    },
  })

  watchLive(broker as unknown as LiveSubscriptions, subscriptions)

  const open = (client: Client): Inlet => {
    const tapped = client as Client & TapClient
    const gated = gate(client.conn, () => inlet.full)
    const inlet = createInlet({
      ...{ client: tapped, ingest, access, observe, clock, ids: options.ids, subscriptions, maxPacketBytes },
      source: () => sourceOf(client),
      onRoom: gated.open,
      onRefused(packet, error) {
        refused.set(packet, { error })
        early.handOver(packet)
      },
    })
    const early = tap(tapped, inlet.take)
    return inlet
  }

  /** What happens to a PUBLISH that was not taken: never an acknowledgement that could pass for a success. */
  const refuse = (client: Client, packet: PublishPacket, error: unknown, done: (error?: Error | null) => void) => {
    const code = codeOf(error, 'SPOOL_FAILED')
    if (code === 'QOS_NOT_SUPPORTED') return client.disconnect({ reasonCode: reasons.qosNotSupported })
    const retryable = !(error instanceof GatewayError) || error.retryable
    // QoS 0 promised nothing, so the connection stays; its subscribers still get the message.
    if (retryable && packet.qos === 0) return done(null)
    // A PUBACK with any reason code ends the exchange in MQTT 5, so a device that should try again is disconnected instead.
    if (retryable) return client.disconnect({ reasonCode: reasons.serverBusy })
    done(new Error(code))
  }

  broker.on('clientReady', (client) => observe.record('client.connected', { clientId: client.id, transport: sourceOf(client).transport }))
  broker.on('clientDisconnect', (client) =>
    observe.record('client.disconnected', { clientId: client.id, transport: sourceOf(client).transport }),
  )
  const failed = (client: Client, error: Error) =>
    observe.record('client.failed', { code: 'PROTOCOL', clientId: client.id ?? '', detail: error.message })
  broker.on('clientError', failed)
  broker.on('connectionError', failed)

  return {
    async start() {
      await broker.listen()
      watchStored((broker as unknown as { persistence: StoredSubscriptions }).persistence, subscriptions)
      stopWatch = clock.every(1_000, () => {
        for (const client of connected) if (inlets.get(client)?.full) keepAlive(client as Client & TapClient)
      })
    },
    accept(stream, peer) {
      peers.set(stream, peer)
      const client = broker.handle(stream)
      inlets.set(client, open(client))
      connected.add(client)
      stream.once('close', () => connected.delete(client))
    },
    async publish(message) {
      await ingest(message)
      await new Promise<void>((resolve, reject) => {
        broker.publish(toPacket(message) as AedesPublishPacket, (error) => (error ? reject(error) : resolve()))
      })
    },
    stop() {
      stopWatch()
      return new Promise((resolve) => (broker.closed ? resolve() : broker.close(() => resolve())))
    },
  }
}
